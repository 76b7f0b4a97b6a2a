// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.model.Slice;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.MlpGraph;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.ScoringFunc;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A golden case with several gates: one layer per level of its configuration. It makes the bundle
 * out of the weights, and says what each level must answer.
 */
public final class GoldenLevels {

    private final GoldenCase golden;
    private final JsonNode levels;

    public GoldenLevels(GoldenCase golden) {
        this.golden = golden;
        this.levels = golden.levels();
    }

    /** Whether a case is one with several gates. */
    public static boolean appliesTo(GoldenCase golden) {
        return golden.levels().isArray();
    }

    /** The number of levels. */
    public int size() {
        return levels.size();
    }

    /** The gates of a level. */
    public JsonNode gates(int level) {
        return levels.get(level).path("gates");
    }

    /** The experts that a gate may use, in the order of its columns. */
    public int[] experts(int level, int gate) {
        JsonNode list = gates(level).get(gate).path("experts");
        int[] experts = new int[list.size()];
        for (int i = 0; i < experts.length; i++) {
            experts[i] = list.get(i).asInt();
        }
        return experts;
    }

    /** The name of a tensor that says what a gate answers. */
    public static String tensor(int level, int gate, String name) {
        return "levels.%d.gate.%d.%s".formatted(level, gate, name);
    }

    /** Writes the bundle. */
    public Bundle write(Path directory) throws IOException {
        if (!golden.text("residual").equals("none")) {
            throw new IllegalArgumentException(golden + ": only residual none is known");
        }
        try (BundleWriter writer = new BundleWriter(directory)) {
            List<LayerSpec> layers = new ArrayList<>();
            for (int level = 0; level < size(); level++) {
                layers.add(layer(level, writer));
            }
            int last = size() - 1;
            return writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    BundleSpec.FORMAT_VERSION,
                                    golden.name(),
                                    version,
                                    golden.integer("d_model"),
                                    layers.get(last).outputSize(),
                                    null,
                                    null,
                                    layers,
                                    checksums));
        }
    }

    private LayerSpec layer(int level, BundleWriter writer) throws IOException {
        JsonNode json = levels.get(level);
        List<ExpertSpec> experts = new ArrayList<>();
        for (int expert = 0; expert < json.path("experts").size(); expert++) {
            JsonNode spec = json.path("experts").get(expert);
            String file = "levels/%d/experts/%d.onnx".formatted(level, expert);
            String prefix = "levels.%d.experts.%d.layers.".formatted(level, expert);
            List<MlpGraph.Layer> layers = mlp(prefix, spec);
            writer.add(file, MlpGraph.of("expert", layers));
            int width = layers.get(layers.size() - 1).out();
            experts.add(new ExpertSpec(null, ModelFile.of(file), slice(spec.path("input")), width));
        }
        List<GateSpec> gates = new ArrayList<>();
        for (int gate = 0; gate < gates(level).size(); gate++) {
            gates.add(gate(level, gate, writer));
        }
        return new LayerSpec(
                json.path("input_size").asInt(),
                json.path("output_size").asInt(),
                null,
                null,
                ResidualKind.NONE,
                experts,
                List.of(),
                gates,
                null);
    }

    private GateSpec gate(int level, int gate, BundleWriter writer) throws IOException {
        JsonNode spec = gates(level).get(gate);
        String file = "levels/%d/gates/%d.onnx".formatted(level, gate);
        String prefix = "levels.%d.gates.%d.".formatted(level, gate);
        String score = spec.path("score").asText();
        OnnxGraph router =
                switch (score) {
                    case "softmax" -> router(prefix, spec);
                    case "dselect_k" -> new DselectK(golden, prefix, spec).graph();
                    default ->
                            throw new IllegalArgumentException(
                                    "%s: score %s is not known".formatted(golden, score));
                };
        writer.add(file, router);
        int n = spec.path("experts").size();
        boolean sparse = spec.has("num_experts_per_tok");
        RoutingConfig routing =
                new RoutingConfig(
                        n,
                        sparse ? spec.path("num_experts_per_tok").asInt() : null,
                        ScoringFunc.SOFTMAX,
                        null,
                        null,
                        spec.path("norm_topk_prob").asBoolean(false),
                        null,
                        null,
                        null);
        List<Integer> experts = new ArrayList<>();
        spec.path("experts").forEach(expert -> experts.add(expert.asInt()));
        return new GateSpec(
                null,
                ModelFile.of(file),
                null,
                null,
                slice(spec.path("input")),
                experts,
                routing,
                null);
    }

    private static Slice slice(JsonNode json) {
        return new Slice(json.get(0).asInt(), json.get(1).asInt());
    }

    private OnnxGraph router(String prefix, JsonNode spec) {
        List<MlpGraph.Layer> layers = mlp(prefix + "layers.", spec);
        layers.add(linear(prefix, Activation.NONE));
        return MlpGraph.of("router", layers);
    }

    /** The layers that a list of activations counts. */
    private List<MlpGraph.Layer> mlp(String prefix, JsonNode spec) {
        List<MlpGraph.Layer> layers = new ArrayList<>();
        for (JsonNode activation : spec.path("activations")) {
            layers.add(
                    linear(
                            prefix + layers.size() + ".",
                            Activation.valueOf(activation.asText().toUpperCase(Locale.ROOT))));
        }
        return layers;
    }

    private MlpGraph.Layer linear(String prefix, Activation activation) {
        int[] shape = golden.shape(prefix + "weight");
        boolean hasBias = golden.hasTensor(prefix + "bias");
        return MlpGraph.Layer.of(
                golden.floats(prefix + "weight"),
                hasBias ? golden.floats(prefix + "bias") : null,
                activation,
                shape[1],
                shape[0]);
    }
}
