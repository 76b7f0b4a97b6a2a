// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.exports;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.parts.PartsImporter;
import io.flinkmoe.onnx.ModelCheck;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/**
 * Parts that an exporter wrote, as its {@code case.json} describes them, and their right answers.
 * Where the encoder has typed columns, the layer is imported without it; where the head has several
 * outputs, without the head.
 */
final class ExportedCase {

    private static final JsonMapper JSON = new JsonMapper();

    private final Path folder;
    private final JsonNode json;

    ExportedCase(Path folder) throws IOException {
        this.folder = folder;
        this.json = JSON.readTree(folder.resolve("case.json").toFile());
    }

    /** The largest difference from the right answer, in units of the tolerance. */
    double worst(Path output) throws Exception {
        Path file = folder.resolve("manifest.yaml");
        Bundle bundle =
                PartsImporter.importBundle(
                                new PartsImporter.Manifest(manifest(), file, folder),
                                output,
                                made -> ModelCheck.openAll(made, false))
                        .bundle();
        try (ReferenceModel model = ReferenceModel.open(bundle);
                SafetensorsFile expected =
                        SafetensorsFile.open(folder.resolve("expected.safetensors"))) {
            String answer = hasHead() ? "output." + name(json.path("head"), "outputs") : answer();
            float[] right = expected.floats(answer);
            float[] found = model.forward(expected.floats(input(expected)), tokens()).out();
            return difference(found, right) / json.path("tolerance").asDouble();
        }
    }

    private static double difference(float[] found, float[] right) {
        if (found.length != right.length) {
            return Double.POSITIVE_INFINITY;
        }
        double largest = 1;
        double difference = 0;
        for (int i = 0; i < right.length; i++) {
            largest = Math.max(largest, Math.abs(right[i]));
            difference = Math.max(difference, Math.abs((double) found[i] - right[i]));
            difference = Float.isNaN(found[i]) ? Double.POSITIVE_INFINITY : difference;
        }
        return difference / largest;
    }

    private boolean hasEncoder() {
        JsonNode inputs = json.path("encoder").path("inputs");
        return inputs.size() == 1 && inputs.get(0).path("type").asText().equals("float");
    }

    private boolean hasHead() {
        return json.path("head").path("outputs").size() == 1;
    }

    private String answer() {
        return json.has("rule") ? "output.probability" : "out";
    }

    private String input(SafetensorsFile expected) {
        if (hasEncoder()) {
            return "input." + name(json.path("encoder"), "inputs");
        }
        for (String name : new String[] {"hidden", "input.x", "x"}) {
            if (expected.contains(name)) {
                return name;
            }
        }
        throw new IllegalStateException(folder + ": no input");
    }

    private static String name(JsonNode part, String field) {
        return part.path(field).get(0).path("name").asText();
    }

    /** The streams of the tokens are the values that a rule looks up. */
    private TokenMetadata tokens() throws IOException {
        TokenMetadata rows = TokenMetadata.ofRows(json.path("rows").asInt());
        if (json.has("rule")) {
            JsonNode values =
                    JSON.readTree(folder.resolve("inputs.json").toFile())
                            .path(json.path("rule").path("field").asText());
            Arrays.setAll(rows.streams(), row -> values.get(row).asText());
        }
        return rows;
    }

    private ObjectNode manifest() {
        ObjectNode manifest = JSON.createObjectNode();
        if (hasEncoder()) {
            manifest.put("encoder", json.path("encoder").path("file").asText());
        }
        if (hasHead()) {
            manifest.put("head", json.path("head").path("file").asText());
        }
        ObjectNode layer = manifest.putArray("layers").addObject();
        layer.put("residual", json.path("residual").asText());
        ArrayNode experts = layer.putArray("experts");
        for (JsonNode expert : json.path("experts")) {
            part(experts.addObject(), expert, "experts");
        }
        ArrayNode gates = layer.putArray("gates");
        if (json.has("rule")) {
            addRule(gates.addObject().putObject("rule"));
        }
        for (JsonNode spec : json.path("gates")) {
            ObjectNode gate = gates.addObject();
            part(gate.putObject("router"), json.path("router"), "router");
            gate.put("scoring_func", spec.path("scoring").asText());
            if (!spec.path("num_experts_per_tok").isNull()) {
                gate.set("num_experts_per_tok", spec.path("num_experts_per_tok"));
                gate.set("norm_topk_prob", spec.path("norm_topk_prob"));
            }
        }
        return manifest;
    }

    private void part(ObjectNode part, JsonNode described, String use) {
        part.set("file", described.path("file"));
        if (json.path("outputs_used").has(use)) {
            part.set("output", json.path("outputs_used").path(use));
        }
    }

    private void addRule(ObjectNode rule) {
        Map<String, String> numbers = new TreeMap<>();
        for (int i = 0; i < json.path("experts").size(); i++) {
            numbers.put(json.path("experts").get(i).path("file").asText(), String.valueOf(i));
        }
        rule.put("stream", true);
        ObjectNode table = rule.putObject("table");
        json.path("rule")
                .path("experts")
                .properties()
                .forEach(e -> table.put(e.getKey(), numbers.get(e.getValue().asText())));
        rule.put("fallback", numbers.get(json.path("rule").path("fallback").asText()));
    }
}
