// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.model.FileErrors;
import io.flinkmoe.model.JsonFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;

/**
 * The config.json of a checkpoint. A dot in a key descends into an object: {@code
 * ffn_config.moe_top_k}. If the file describes a model that contains the language model, the keys
 * are those of the language model, such as {@code text_config}. The methods throw {@link
 * CheckpointException} if a value has the wrong type. Those with a default value return it if the
 * key is missing or null.
 */
@Internal
final class CheckpointConfig {
    /** The objects of a language model in a larger one; the first may contain another. */
    private static final List<String> LANGUAGE_MODELS =
            List.of("thinker_config", "text_config", "language_config", "llm_config");

    /** Where the keys are in the file: empty, or the key of the language model and a dot. */
    private final String prefix;

    private final Path file;
    private final JsonNode whole;
    private final JsonNode config;

    private CheckpointConfig(Path file, JsonNode whole, String prefix, JsonNode config) {
        this.file = file;
        this.whole = whole;
        this.prefix = prefix;
        this.config = config;
    }

    static CheckpointConfig read(Path file) throws IOException {
        JsonNode whole = readJson(file);
        String prefix = "";
        JsonNode config = whole;
        for (String name : LANGUAGE_MODELS) {
            if (config.path(name).isObject() && !config.path(name).isEmpty()) {
                config = config.path(name);
                prefix += name + ".";
            }
        }
        return new CheckpointConfig(file, whole, prefix, config);
    }

    /** The model_type of the language model, if there is one, and that of the whole model. */
    List<String> modelTypes() throws CheckpointException {
        String outer = whole.path("model_type").asText("");
        return List.of(text("model_type", outer), outer);
    }

    /** The rows and columns of an FP8 block, which is where quantization_config says it. */
    int[] blockSize() {
        for (JsonNode node : List.of(config, whole)) {
            JsonNode size = node.path("quantization_config").path("weight_block_size");
            if (size.size() == 2 && size.path(0).asInt() > 0 && size.path(1).asInt() > 0) {
                return new int[] {size.path(0).asInt(), size.path(1).asInt()};
            }
        }
        return new int[] {128, 128};
    }

    /** How config.json says that weights are quantized, which may be out of date. */
    Optional<String> quantMethod() {
        for (JsonNode node : List.of(config, whole)) {
            for (String key : List.of("quantization_config", "compression_config")) {
                if (node.path(key).isObject()) {
                    return Optional.of(
                            node.path(key).path("quant_method").asText("an unnamed method"));
                }
            }
        }
        return Optional.empty();
    }

    /** Whether a key is there and its value is not null. */
    boolean has(String key) {
        return !value(key).isMissingNode() && !value(key).isNull();
    }

    /** Whether a key is there and its value is null. */
    boolean isNull(String key) {
        return value(key).isNull();
    }

    String text(String key, String defaultValue) throws CheckpointException {
        if (!has(key)) {
            return defaultValue;
        }
        if (!value(key).isTextual()) {
            throw invalid(key, "a string");
        }
        return value(key).textValue();
    }

    /** Checks that a key, if it is there, has one of the values that are supported. */
    void require(String key, List<JsonNode> supported) throws CheckpointException {
        if (has(key) && !supported.contains(value(key))) {
            throw invalid(
                    key,
                    "%s; other values are not supported"
                            .formatted(
                                    supported.stream()
                                            .map(JsonNode::toString)
                                            .collect(Collectors.joining(" or "))));
        }
    }

    /**
     * Whether all keys have certain values.
     *
     * @param values the values by key; "set" and "absent" are any value and none
     */
    boolean matches(JsonNode values) {
        for (Map.Entry<String, JsonNode> wanted : values.properties()) {
            boolean matches =
                    switch (wanted.getValue().asText()) {
                        case "set" -> has(wanted.getKey());
                        case "absent" -> !has(wanted.getKey());
                        default -> value(wanted.getKey()).equals(wanted.getValue());
                    };
            if (!matches) {
                return false;
            }
        }
        return true;
    }

    /** The value of a required key, 1 or more. */
    int positiveInt(String key) throws CheckpointException {
        return atLeast(1, key);
    }

    /** The value of a key, 1 or more. */
    int positiveInt(String key, int defaultValue) throws CheckpointException {
        return has(key) ? atLeast(1, key) : defaultValue;
    }

    /**
     * The value of the first of several keys for the same thing that is there, 1 or more.
     *
     * @param layer the number of the layer whose value counts, where a key has a list
     * @throws CheckpointException if none is there, or if they differ
     */
    int positiveIntOf(List<String> keys, int layer) throws CheckpointException {
        List<String> found = keys.stream().filter(this::has).toList();
        if (found.isEmpty()) {
            return positiveInt(keys.get(0));
        }
        int value = atLeast(1, found.get(0), layer);
        for (String key : found) {
            if (atLeast(1, key, layer) != value) {
                throw invalid(key, "%d, as %s says".formatted(value, found.get(0)));
            }
        }
        return value;
    }

    /** Checks that several keys for the same thing have the same value. */
    void requireSame(List<String> keys) throws CheckpointException {
        for (String key : keys) {
            JsonNode first = value(keys.get(0));
            JsonNode other = value(key);
            boolean isSame =
                    first.isNumber() && other.isNumber()
                            ? first.doubleValue() == other.doubleValue()
                            : first.equals(other);
            if (!isSame) {
                throw invalid(key, "%s, as %s says".formatted(first, keys.get(0)));
            }
        }
    }

    /** The value of a key, 0 or more. */
    int count(String key, int defaultValue) throws CheckpointException {
        return has(key) ? atLeast(0, key) : defaultValue;
    }

    private int atLeast(int minimum, String key) throws CheckpointException {
        return atLeast(minimum, key, value(key));
    }

    private int atLeast(int minimum, String key, int layer) throws CheckpointException {
        JsonNode value = value(key);
        return atLeast(minimum, key, value.isArray() ? value.path(layer) : value);
    }

    private int atLeast(int minimum, String key, JsonNode value) throws CheckpointException {
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < minimum) {
            throw invalid(key, "an integer of %d or more".formatted(minimum));
        }
        return value.intValue();
    }

    boolean flag(String key, boolean defaultValue) throws CheckpointException {
        if (!has(key)) {
            return defaultValue;
        }
        if (!value(key).isBoolean()) {
            throw invalid(key, "true or false");
        }
        return value(key).booleanValue();
    }

    /** The value of a key, a finite number. */
    double number(String key, double defaultValue) throws CheckpointException {
        if (!has(key)) {
            return defaultValue;
        }
        if (!value(key).isNumber() || !Double.isFinite(value(key).doubleValue())) {
            throw invalid(key, "a number");
        }
        return value(key).doubleValue();
    }

    /** An entry of a list; empty if there is none. */
    String entry(String key, int index) {
        return value(key).path(index).asText("");
    }

    /** The value of a key, finite and above 0; null is not allowed. */
    float positiveFloat(String key, float defaultValue) throws CheckpointException {
        JsonNode value = value(key);
        if (value.isMissingNode()) {
            return defaultValue;
        }
        if (!value.isNumber()
                || !(value.floatValue() > 0)
                || Float.isInfinite(value.floatValue())) {
            throw invalid(key, "a number above 0");
        }
        return value.floatValue();
    }

    /** An error about the value of a key. */
    CheckpointException invalid(String key, String expected) {
        JsonNode value = value(key);
        return invalid(
                "%s%s is %s; expected %s"
                        .formatted(
                                prefix, key, value.isMissingNode() ? "missing" : value, expected));
    }

    /** An error about the file as a whole. */
    CheckpointException invalid(String message) {
        return new CheckpointException(file, message);
    }

    private JsonNode value(String key) {
        JsonNode value = config;
        for (String name : key.split("\\.")) {
            value = value.path(name);
        }
        return value;
    }

    /** The object in a JSON file of a checkpoint. */
    static JsonNode readJson(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new CheckpointException(
                    file,
                    Files.isSymbolicLink(file)
                            ? "it links to %s, which does not exist; complete the download"
                                    .formatted(Files.readSymbolicLink(file))
                            : FileErrors.notAFile(file)
                                    + "; a checkpoint directory must contain one");
        }
        return JsonFile.readObject(new ObjectMapper(), file, CheckpointException::new);
    }
}
