// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The activation function of an expert, applied element by element.
 *
 * <pre>
 *   RELU       max(x, 0)
 *   RELU2      max(x, 0)²
 *   SILU       x / (1 + exp(-x))
 *   GELU_TANH  x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))
 *   GELU_ERF   x/2 · (1 + erf(x / √2))
 *   SIGMOID    1 / (1 + exp(-x))
 *   LEAKY_RELU max(x, 0.01 x)
 * </pre>
 *
 * The two forms of GELU (Hendrycks and Gimpel, arXiv 1606.08415) differ by up to 5e-4. A checkpoint
 * must run with the form that it was trained with.
 */
@Internal
public enum Activation {
    RELU,
    RELU2,
    SILU,
    GELU_TANH,
    GELU_ERF,
    TANH,
    SIGMOID,
    LEAKY_RELU,
    /** The identity. */
    NONE;

    /** Adds the nodes of {@code y} = activation({@code x}) to a graph; their names begin with y. */
    public OnnxGraph addTo(OnnxGraph graph, String y, String x) {
        return switch (this) {
            case RELU -> graph.node("Relu", y, List.of(x));
            case RELU2 ->
                    graph.node("Relu", y + ".relu", List.of(x))
                            .node("Mul", y, List.of(y + ".relu", y + ".relu"));
            case SILU ->
                    graph.node("Sigmoid", y + ".sigmoid", List.of(x))
                            .node("Mul", y, List.of(x, y + ".sigmoid"));
            case TANH -> graph.node("Tanh", y, List.of(x));
            case SIGMOID -> graph.node("Sigmoid", y, List.of(x));
            case LEAKY_RELU -> graph.node("LeakyRelu", y, List.of(x));
            case NONE -> graph.node("Identity", y, List.of(x));
            case GELU_TANH ->
                    half(
                            graph.weights(y + ".cubic", scalar(0.044715))
                                    .weights(y + ".slope", scalar(Math.sqrt(2 / Math.PI)))
                                    .node("Mul", y + ".x2", List.of(x, x))
                                    .node("Mul", y + ".x3", List.of(y + ".x2", x))
                                    .node("Mul", y + ".bend", List.of(y + ".x3", y + ".cubic"))
                                    .node("Add", y + ".bent", List.of(x, y + ".bend"))
                                    .node("Mul", y + ".scaled", List.of(y + ".bent", y + ".slope"))
                                    .node("Tanh", y + ".s", List.of(y + ".scaled")),
                            y,
                            x);
            case GELU_ERF ->
                    half(
                            graph.weights(y + ".sqrt2", scalar(Math.sqrt(2)))
                                    .node("Div", y + ".scaled", List.of(x, y + ".sqrt2"))
                                    .node("Erf", y + ".s", List.of(y + ".scaled")),
                            y,
                            x);
        };
    }

    /** y = x/2 · (1 + s), where s is the output of the node y.s. */
    private static OnnxGraph half(OnnxGraph graph, String y, String x) {
        return graph.weights(y + ".one", scalar(1))
                .weights(y + ".half", scalar(0.5))
                .node("Add", y + ".s1", List.of(y + ".s", y + ".one"))
                .node("Mul", y + ".twice", List.of(x, y + ".s1"))
                .node("Mul", y, List.of(y + ".twice", y + ".half"));
    }

    private static float[] scalar(double value) {
        return new float[] {(float) value};
    }
}
