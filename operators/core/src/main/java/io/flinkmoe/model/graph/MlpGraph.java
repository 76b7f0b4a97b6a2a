// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import io.flinkmoe.tensor.FloatBlocks;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** A multi-layer perceptron of any depth, [batch, in] → [batch, out]: an expert or a router. */
@Internal
public final class MlpGraph {

    private MlpGraph() {}

    /**
     * One layer: activation(x weightᵀ + bias).
     *
     * @param weight [out, in], row-major
     * @param bias [out], or null for none
     */
    public record Layer(FloatBlocks weight, float[] bias, Activation activation, int in, int out) {

        /** A layer whose weight is in memory. */
        public static Layer of(
                float[] weight, float[] bias, Activation activation, int in, int out) {
            return new Layer(FloatBlocks.of(weight), bias, activation, in, out);
        }
    }

    /**
     * Makes the graph.
     *
     * @param name the name of the graph
     * @param layers at least one; each reads the output of the one before it
     */
    public static OnnxGraph of(String name, List<Layer> layers) {
        Layer first = layers.get(0);
        Layer last = layers.get(layers.size() - 1);
        OnnxGraph graph = new OnnxGraph(name).input("input", first.in).output("output", last.out);
        String from = "input";
        for (int i = 0; i < layers.size(); i++) {
            Layer layer = layers.get(i);
            String to = i == layers.size() - 1 ? "output" : "hidden." + i;
            boolean isLinear = layer.activation == Activation.NONE;
            String linear = isLinear ? to : "linear." + i;
            graph.linear(linear, from, layer.weight, layer.bias, layer.in, layer.out);
            if (!isLinear) {
                layer.activation.addTo(graph, to, linear);
            }
            from = to;
        }
        return graph;
    }
}
