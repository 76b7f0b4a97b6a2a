// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.exports;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputRows;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.OutputRows;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.column.TypedValuesBuilder;
import io.flinkmoe.config.Draws;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.parts.Manifest;
import io.flinkmoe.model.parts.PartsImporter;
import io.flinkmoe.onnx.check.ModelCheck;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.lang.reflect.Array;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Parts that an exporter wrote, as its {@code case.json} describes them, and their right answers.
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
                                new Manifest(manifest(), file, folder),
                                output,
                                made -> ModelCheck.openAll(made, false))
                        .bundle();
        try (ReferenceModel model = ReferenceModel.open(bundle);
                SafetensorsFile expected =
                        SafetensorsFile.open(folder.resolve("expected.safetensors"))) {
            InputLayout inputs = bundle.spec().inputLayout();
            int rows = json.path("rows").asInt();
            InputRows x = InputRows.of(inputs, values(inputs, expected, rows));
            ReferenceModel.Result result = model.forward(x, TokenMetadata.ofRows(rows), Draws.NONE);
            double worst =
                    hasHead()
                            ? worstOutput(result.outputs(), expected, rows)
                            : difference(result.out(), expected.floats(answer()));
            return worst / json.path("tolerance").asDouble();
        }
    }

    /** Of all named outputs; what is not a float must be equal. */
    private double worstOutput(OutputRows found, SafetensorsFile expected, int rows)
            throws IOException {
        double worst = 0;
        for (int i = 0; i < found.layout().columns().size(); i++) {
            Column column = found.layout().columns().get(i);
            Object right = expected.array("output." + column.name());
            float[] floats = new float[rows * column.count()];
            for (int row = 0; row < rows; row++) {
                Object values = found.row(row).get(i);
                for (int element = 0; element < column.count(); element++) {
                    int at = row * column.count() + element;
                    Object value = column.width() == null ? values : Array.get(values, element);
                    if (value instanceof Float number) {
                        floats[at] = number;
                    } else if (((Number) value).longValue() != Array.getLong(right, at)) {
                        return Double.POSITIVE_INFINITY;
                    }
                }
            }
            if (right instanceof float[] ofFramework) {
                worst = Math.max(worst, difference(floats, ofFramework));
            }
        }
        return worst;
    }

    private List<TypedValues> values(InputLayout inputs, SafetensorsFile expected, int rows)
            throws IOException {
        Path file = folder.resolve("inputs.json");
        JsonNode texts = Files.exists(file) ? JSON.readTree(file.toFile()) : JSON.nullNode();
        TypedValuesBuilder builder = new TypedValuesBuilder(inputs);
        List<TypedValues> values = new ArrayList<>();
        for (int row = 0; row < rows; row++) {
            for (InputSpec input : inputs.inputs()) {
                String name = input.name();
                builder.set(
                        name,
                        texts.has(name)
                                ? texts.path(name).get(row).asText()
                                : value(expected.array(tensor(name, expected)), input, row));
            }
            values.add(builder.build());
            assertThat(values.get(row).problem()).isNull();
        }
        return values;
    }

    private static Object value(Object tensor, InputSpec input, int row) {
        if (input.width() == null) {
            return Array.get(tensor, row);
        }
        Object vector = Array.newInstance(tensor.getClass().componentType(), input.width());
        System.arraycopy(tensor, row * input.width(), vector, 0, input.width());
        return vector;
    }

    private static String tensor(String input, SafetensorsFile expected) {
        for (String name : new String[] {"input." + input, "input.x", "x"}) {
            if (expected.contains(name)) {
                return name;
            }
        }
        throw new IllegalStateException("no tensor for the input " + input);
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
        return json.path("encoder").has("file");
    }

    private boolean hasHead() {
        return json.path("head").has("file");
    }

    private String answer() {
        return json.has("rule") ? "output.probability" : "out";
    }

    private ObjectNode manifest() {
        ObjectNode manifest = JSON.createObjectNode();
        if (hasEncoder()) {
            manifest.put("encoder", json.path("encoder").path("file").asText());
        }
        if (hasHead()) {
            manifest.put("head", json.path("head").path("file").asText());
        }
        if (json.has("rule")) {
            ObjectNode inputs = manifest.putObject("inputs");
            inputs.putObject("x");
            inputs.putObject(json.path("rule").path("field").asText())
                    .put("type", "string")
                    .put("tensor", "none");
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
        rule.set("column", json.path("rule").path("field"));
        ObjectNode table = rule.putObject("table");
        json.path("rule")
                .path("experts")
                .properties()
                .forEach(e -> table.put(e.getKey(), numbers.get(e.getValue().asText())));
        rule.put("fallback", numbers.get(json.path("rule").path("fallback").asText()));
    }
}
