// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * The norms of the published models as ONNX files {@code hidden} [batch, d] → {@code output}
 * [batch, d], or as nodes of a graph.
 */
@Internal
public final class NormGraphs {

    private NormGraphs() {}

    /** A norm as nodes. */
    public interface Norm {
        /** Adds the nodes of {@code y} = norm({@code x}); other names begin with the prefix. */
        OnnxGraph addTo(OnnxGraph graph, String prefix, String y, String x);

        /** The width of x and y. */
        int width();

        /** What it is, for people. */
        String description();

        /** The norm alone. */
        default OnnxGraph graph(String name) {
            OnnxGraph graph = new OnnxGraph(name).describedAs(description());
            graph.input("hidden", width());
            return addTo(graph.output("output", width()), "", "output", "hidden");
        }
    }

    /**
     * Root mean square normalisation: weight * x / sqrt(mean(x²) + eps).
     *
     * @param weight [d]
     */
    public record Rms(float[] weight, float eps) implements Norm {
        @Override
        public String description() {
            return "RMS norm";
        }

        @Override
        public OnnxGraph addTo(OnnxGraph graph, String prefix, String y, String x) {
            // The sum is a linear layer, because ReduceMean adds in an order that depends on the
            // memory address of a row.
            int d = weight.length;
            float[] ones = new float[d];
            Arrays.fill(ones, 1);
            return graph.weights(prefix + "weight", weight, d)
                    .weights(prefix + "eps", new float[] {eps})
                    .weights(prefix + "d", new float[] {d})
                    .node("Mul", prefix + "square", List.of(x, x))
                    .linear(prefix + "sum", prefix + "square", ones, null, d, 1)
                    .node("Div", prefix + "mean", List.of(prefix + "sum", prefix + "d"))
                    .node("Add", prefix + "shifted", List.of(prefix + "mean", prefix + "eps"))
                    .node("Sqrt", prefix + "root", List.of(prefix + "shifted"))
                    .node("Div", prefix + "normal", List.of(x, prefix + "root"))
                    .node("Mul", y, List.of(prefix + "normal", prefix + "weight"));
        }

        @Override
        public int width() {
            return weight.length;
        }
    }

    /**
     * LayerNorm: weight * (x - mean(x)) / sqrt(variance(x) + eps) + bias.
     *
     * @param weight [d]
     * @param bias [d], or null for none
     */
    public record Layer(float[] weight, float[] bias, float eps) implements Norm {
        @Override
        public String description() {
            return "LayerNorm";
        }

        @Override
        public OnnxGraph addTo(OnnxGraph graph, String prefix, String y, String x) {
            graph.weights(prefix + "weight", weight, weight.length);
            if (bias == null) {
                List<String> inputs = List.of(x, prefix + "weight");
                return graph.node("LayerNormalization", y, inputs, Map.of("epsilon", eps));
            }
            graph.weights(prefix + "bias", bias, bias.length);
            List<String> inputs = List.of(x, prefix + "weight", prefix + "bias");
            return graph.node("LayerNormalization", y, inputs, Map.of("epsilon", eps));
        }

        @Override
        public int width() {
            return weight.length;
        }
    }

    /** A norm of a norm. */
    public record Chain(Norm first, Norm second) implements Norm {
        @Override
        public String description() {
            return "%s and %s".formatted(first.description(), second.description());
        }

        @Override
        public OnnxGraph addTo(OnnxGraph graph, String prefix, String y, String x) {
            first.addTo(graph, prefix + "first.", prefix + "between", x);
            return second.addTo(graph, prefix + "second.", y, prefix + "between");
        }

        @Override
        public int width() {
            return second.width();
        }
    }

    /**
     * A norm whose output n is gated: n · sigmoid(up(silu(down(n)))) (A.X-K2's {@code gated_norm}).
     */
    public record Gated(Norm norm, FeedForward.Linear down, FeedForward.Linear up) implements Norm {
        @Override
        public String description() {
            return "gated " + norm.description();
        }

        @Override
        public OnnxGraph addTo(OnnxGraph graph, String prefix, String y, String x) {
            norm.addTo(graph, prefix + "norm.", prefix + "n", x);
            down.addTo(graph, prefix + "down", prefix + "n");
            Activation.SILU.addTo(graph, prefix + "act", prefix + "down");
            return up.addTo(graph, prefix + "up", prefix + "act")
                    .node("Sigmoid", prefix + "share", List.of(prefix + "up"))
                    .node("Mul", y, List.of(prefix + "n", prefix + "share"));
        }

        @Override
        public int width() {
            return norm.width();
        }
    }

    /** The bytes of a LayerNorm's file; see {@link Layer}. */
    public static byte[] layerNorm(float[] weight, float[] bias, int d, float eps) {
        return new Layer(weight, bias, eps).graph("layer_norm").toBytes();
    }
}
