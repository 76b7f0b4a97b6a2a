// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.model.graph.RouterGraphs;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.tensor.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;

/** Valid models of a few hundred bytes: one Mixtral layer with two experts. */
@Internal
final class TinyModels {

    static final int D = 4;

    private static final int H = 2;
    private static final int N = 2;
    private static final String WEIGHTS = "weights-1.safetensors";

    private TinyModels() {}

    /** Writes a checkpoint with config.json, an index and one file of weights. */
    static void checkpoint(Path dir) throws IOException {
        Files.createDirectories(dir);
        Files.writeString(
                dir.resolve("config.json"),
                """
                {"model_type": "mixtral", "hidden_act": "silu", "hidden_size": %d,
                 "intermediate_size": %d, "num_local_experts": %d, "num_experts_per_tok": 1,
                 "num_hidden_layers": 1, "rms_norm_eps": 1e-05}"""
                        .formatted(D, H, N));
        String layer = "model.layers.0.";
        Map<String, long[]> shapes = new TreeMap<>();
        shapes.put(layer + "post_attention_layernorm.weight", new long[] {D});
        shapes.put(layer + "block_sparse_moe.gate.weight", new long[] {N, D});
        for (int e = 0; e < N; e++) {
            String expert = layer + "block_sparse_moe.experts." + e;
            shapes.put(expert + ".w1.weight", new long[] {H, D});
            shapes.put(expert + ".w2.weight", new long[] {D, H});
            shapes.put(expert + ".w3.weight", new long[] {H, D});
        }
        SafetensorsWriter weights = new SafetensorsWriter();
        for (Map.Entry<String, long[]> tensor : shapes.entrySet()) {
            long[] shape = tensor.getValue();
            int elements = (int) (shape.length == 1 ? shape[0] : shape[0] * shape[1]);
            weights.add(tensor.getKey(), shape, ramp(elements));
        }
        weights.writeTo(dir.resolve(WEIGHTS));
        Files.writeString(
                dir.resolve("model.safetensors.index.json"),
                shapes.keySet().stream()
                        .map(tensor -> "\"%s\": \"%s\"".formatted(tensor, WEIGHTS))
                        .collect(
                                Collectors.joining(
                                        ",\n", "{\"metadata\": {}, \"weight_map\": {", "}}")));
    }

    /** Writes the bundle of that checkpoint. */
    static void bundle(Path dir) throws IOException {
        Path checkpoint = dir.resolveSibling("checkpoint");
        checkpoint(checkpoint);
        CheckpointImporter.importBundle(checkpoint, null, null, dir);
    }

    /** Valid ONNX files, each with one input and one output. */
    static List<byte[]> onnx() {
        return List.of(
                RouterGraphs.linear(ramp(N * D), N, D),
                ExpertGraphs.gated(Activation.SILU, ramp(H * D), ramp(H * D), ramp(D * H), D, H),
                ExpertGraphs.rmsNorm(ramp(D), D, 1e-5f),
                RouterGraphs.hash(new int[] {0, 1, 1, 0}, 0, D, N),
                new OnnxGraph("shapes")
                        .input("hidden", D)
                        .output("output", D)
                        .integers("pairs", new long[] {-1, D / 2, 2}, 3)
                        .integers("rows", new long[] {-1, D}, 2)
                        .integers("axis", new long[] {1}, 1)
                        .node("Reshape", "paired", List.of("hidden", "pairs"))
                        .node("Softmax", "weights", List.of("paired"), Map.of("axis", 1))
                        .node("ReduceSum", "sum", List.of("weights", "axis"))
                        .node("Div", "even", List.of("weights", "sum"))
                        .node("Reshape", "output", List.of("even", "rows"))
                        .toBytes());
    }

    private static float[] ramp(int elements) {
        float[] values = new float[elements];
        for (int i = 0; i < elements; i++) {
            values[i] = (i - elements / 2) / 4f;
        }
        return values;
    }
}
