// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.parts;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.column.TypedValuesBuilder;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.lang.reflect.Array;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.util.FileUtils;

/**
 * Parts that a framework has written, and the answers of the framework itself. The folder has a
 * {@code case.json}, {@code expected.safetensors} (inputs and answers), {@code inputs.json} (inputs
 * that are texts), and perhaps a {@code manifest.yaml}; without one, {@code case.json} says the
 * options of {@code moe import}.
 *
 * @param options the options of {@code moe import} beside the folder
 * @param answers the tensor of each output; the key is empty for the only output
 */
public record PartsCase(
        String name, Path folder, List<String> options, Map<String, String> answers) {

    private static final JsonMapper JSON = new JsonMapper();

    @Override
    public String toString() {
        return name;
    }

    /** The cases of all folders of a directory, in the order of their names. */
    public static List<PartsCase> in(Path directory) throws IOException {
        List<PartsCase> cases = new ArrayList<>();
        try (Stream<Path> folders = Files.list(directory)) {
            for (Path folder : folders.sorted().toList()) {
                Path file = folder.resolve("case.json");
                boolean isOdd = !Files.exists(folder.resolve("expected.safetensors"));
                JsonNode json = Files.exists(file) ? JSON.readTree(file.toFile()) : JSON.nullNode();
                if (!isOdd && !json.isNull() && !isOfSingleFiles(json)) {
                    cases.addAll(of(folder, json));
                }
            }
        }
        return cases;
    }

    /** Odd files have no experts together. */
    private static boolean isOfSingleFiles(JsonNode json) {
        return !json.has("import") && !json.has("experts") && !json.has("expert_linears");
    }

    private static List<PartsCase> of(Path folder, JsonNode json) throws IOException {
        String name = folder.getFileName().toString();
        if (json.has("expert_linears")) {
            List<PartsCase> cases = new ArrayList<>();
            for (Map.Entry<String, JsonNode> output : json.path("outputs").properties()) {
                String answer = output.getKey();
                List<String> options =
                        stateDict(json, output.getValue().path("num_experts_per_tok"));
                cases.add(new PartsCase(name + "." + answer, folder, options, Map.of("", answer)));
            }
            return cases;
        }
        Map<String, String> answers = new LinkedHashMap<>();
        try (SafetensorsFile expected =
                SafetensorsFile.open(folder.resolve("expected.safetensors"))) {
            for (String tensor : expected.names()) {
                if (tensor.startsWith("output.")) {
                    String output = tensor.substring("output.".length());
                    answers.put(json.has("rule") ? "" : output, tensor);
                }
            }
        }
        if (answers.isEmpty()) {
            answers.put("", "out");
        }
        json.path("text_outputs")
                .fieldNames()
                .forEachRemaining(output -> answers.put(output, null));
        return List.of(new PartsCase(name, folder, options(json), answers));
    }

    private static List<String> options(JsonNode json) {
        List<String> options = new ArrayList<>();
        if (json.has("import")) {
            json.path("import").forEach(option -> options.add(option.asText()));
        } else if (!json.has("rule")) {
            JsonNode gate = json.path("gates").get(0);
            options.addAll(List.of("--residual", json.path("residual").asText()));
            options.addAll(List.of("--scoring-func", gate.path("scoring").asText()));
            addTop(options, gate.path("num_experts_per_tok"), gate.path("norm_topk_prob").asText());
            JsonNode used = json.path("outputs_used");
            if (used.has("router")) {
                options.addAll(List.of("--router-output", used.path("router").asText()));
            }
            if (used.has("experts")) {
                options.addAll(List.of("--expert-output", used.path("experts").asText()));
            }
        }
        return options;
    }

    /** A single expert has the weight 1, more have their probabilities. */
    private static List<String> stateDict(JsonNode json, JsonNode k) {
        List<String> options = new ArrayList<>();
        options.addAll(List.of("--state-dict", "model.safetensors"));
        options.addAll(List.of("--router", json.path("router").asText()));
        options.addAll(List.of("--experts", json.path("expert_linears").get(0).asText()));
        options.addAll(List.of("--activations", json.path("activation").asText("none")));
        options.addAll(List.of("--residual", json.path("residual").asText()));
        options.addAll(List.of("--scoring-func", json.path("scoring").asText()));
        addTop(options, k, String.valueOf(k.asInt() == 1));
        return options;
    }

    private static void addTop(List<String> options, JsonNode k, String isNormalized) {
        if (k.isInt()) {
            options.addAll(List.of("--num-experts-per-tok", k.asText()));
            options.addAll(List.of("--norm-topk-prob", isNormalized));
        }
    }

    /**
     * A copy of the parts.
     *
     * @param target a folder that does not exist
     */
    public Path copyTo(Path target) throws IOException {
        FileUtils.copy(
                new org.apache.flink.core.fs.Path(folder.toUri()),
                new org.apache.flink.core.fs.Path(target.toUri()),
                false);
        JsonNode rule = json().path("rule");
        if (rule.isObject()) {
            Files.writeString(target.resolve("manifest.yaml"), manifest(rule).toString());
        }
        return target;
    }

    /** JSON is YAML, too. */
    private ObjectNode manifest(JsonNode rule) throws IOException {
        ObjectNode manifest = JSON.createObjectNode();
        ObjectNode inputs = manifest.putObject("inputs");
        inputs.putObject("x");
        inputs.putObject(rule.path("field").asText()).put("type", "string").put("tensor", "none");
        ObjectNode layer = manifest.putArray("layers").addObject();
        layer.set("residual", json().path("residual"));
        Map<String, String> numbers = new LinkedHashMap<>();
        for (JsonNode expert : json().path("experts")) {
            String file = expert.path("file").asText();
            layer.withArray("experts").add(file);
            numbers.put(file, String.valueOf(numbers.size()));
        }
        ObjectNode gate = layer.putArray("gates").addObject().putObject("rule");
        gate.set("column", rule.path("field"));
        ObjectNode table = gate.putObject("table");
        rule.path("experts")
                .properties()
                .forEach(
                        entry -> table.put(entry.getKey(), numbers.get(entry.getValue().asText())));
        gate.put("fallback", numbers.get(rule.path("fallback").asText()));
        return manifest;
    }

    private JsonNode json() throws IOException {
        return JSON.readTree(folder.resolve("case.json").toFile());
    }

    public double tolerance() throws IOException {
        return json().path("tolerance").asDouble();
    }

    /** The number of rows that no rule takes. */
    public int dead() throws IOException {
        return json().path("dead").asInt(0);
    }

    /** The inputs of all rows. */
    public List<TypedValues> inputs(InputLayout layout) throws IOException {
        Path texts = folder.resolve("inputs.json");
        JsonNode strings = Files.exists(texts) ? JSON.readTree(texts.toFile()) : JSON.nullNode();
        JsonNode json = json();
        int rows = json.path("rows").asInt(json.path("tokens").asInt());
        Map<String, Object> tensors = new LinkedHashMap<>();
        try (SafetensorsFile expected =
                SafetensorsFile.open(folder.resolve("expected.safetensors"))) {
            for (InputSpec input : layout.inputs()) {
                String name = "input." + input.name();
                if (!strings.has(input.name())) {
                    name = expected.contains(name) ? name : "input.x";
                    tensors.put(input.name(), expected.array(expected.contains(name) ? name : "x"));
                }
            }
        }
        TypedValuesBuilder builder = new TypedValuesBuilder(layout);
        List<TypedValues> values = new ArrayList<>();
        for (int row = 0; row < rows; row++) {
            for (InputSpec input : layout.inputs()) {
                Object tensor = tensors.get(input.name());
                builder.set(
                        input.name(),
                        tensor == null
                                ? text(strings.path(input.name()).get(row))
                                : value(tensor, input.width(), row));
            }
            values.add(builder.build());
        }
        return values;
    }

    private static Object text(JsonNode node) {
        List<String> texts = new ArrayList<>();
        node.forEach(entry -> texts.add(entry.asText()));
        return node.isArray() ? texts : node.asText();
    }

    private static Object value(Object tensor, Integer width, int row) {
        if (width == null) {
            return Array.get(tensor, row);
        }
        Object vector = Array.newInstance(tensor.getClass().componentType(), width);
        System.arraycopy(tensor, row * width, vector, 0, width);
        return vector;
    }

    /**
     * The largest difference from the framework's answers, as a share of the largest magnitude of
     * an output. What is not a float must be equal.
     *
     * @param found the values of each row by output; null for a row without an answer
     */
    public double difference(List<Map<String, List<Object>>> found) throws IOException {
        double worst = 0;
        try (SafetensorsFile expected =
                SafetensorsFile.open(folder.resolve("expected.safetensors"))) {
            for (Map.Entry<String, String> answer : answers.entrySet()) {
                List<Object> right =
                        answer.getValue() == null
                                ? PartsAnswers.flat(
                                        json().path("text_outputs").path(answer.getKey()))
                                : PartsAnswers.flat(expected.array(answer.getValue()));
                boolean isExact =
                        answer.getValue() == null
                                || !(expected.array(answer.getValue()) instanceof float[]);
                worst =
                        Math.max(
                                worst,
                                PartsAnswers.difference(answer.getKey(), found, right, isExact));
            }
        }
        return worst;
    }
}
