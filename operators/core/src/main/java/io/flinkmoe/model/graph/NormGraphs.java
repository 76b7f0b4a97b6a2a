// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/** The LayerNorm before router and experts as an ONNX file. */
@Internal
public final class NormGraphs {

    private NormGraphs() {}

    /**
     * LayerNorm: {@code output} [batch, d] = weight * (x - mean(x)) / sqrt(variance(x) + eps) +
     * bias.
     *
     * @param weight [d]
     * @param bias [d], or null for none
     * @return the bytes of an ONNX file
     */
    public static byte[] layerNorm(float[] weight, float[] bias, int d, float eps) {
        OnnxGraph graph =
                new OnnxGraph("layer_norm")
                        .input("hidden", d)
                        .output("output", d)
                        .weights("weight", weight, d);
        if (bias != null) {
            graph.weights("bias", bias, d);
        }
        List<String> inputs =
                bias == null ? List.of("hidden", "weight") : List.of("hidden", "weight", "bias");
        return graph.node("LayerNormalization", "output", inputs, Map.of("epsilon", eps)).toBytes();
    }
}
