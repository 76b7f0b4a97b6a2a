// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.model.FileErrors;
import io.flinkmoe.model.JsonFile;
import io.flinkmoe.model.graph.Activation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
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

    /** The model_type of the language model or, if it has none, of the whole model. */
    String modelType() throws CheckpointException {
        String outer = whole.path("model_type").asText("");
        return text("model_type", outer);
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

    /** Checks that a key, if it is there, has the only value that is supported. */
    void requireText(String key, String supported) throws CheckpointException {
        if (!text(key, supported).equals(supported)) {
            throw invalid(key, "\"%s\"; other values are not supported".formatted(supported));
        }
    }

    /** Checks that routers have no bias; no published checkpoint has one. */
    void requireNoRouterBias() throws CheckpointException {
        if (flag("router_bias", false)) {
            throw invalid("router_bias", "false; a router with a bias is not supported");
        }
    }

    /** The activation that a key names. */
    Activation activation(String key, String defaultName) throws CheckpointException {
        return switch (text(key, defaultName).toLowerCase(Locale.ROOT)) {
            case "relu" -> Activation.RELU;
            case "silu", "swish" -> Activation.SILU;
            case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
            case "gelu" -> Activation.GELU_ERF;
            default ->
                    throw invalid(
                            key, "one of relu, silu, swish, gelu, gelu_new, gelu_pytorch_tanh");
        };
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
     * @throws CheckpointException if none is there, or if they differ
     */
    int positiveIntOf(List<String> keys) throws CheckpointException {
        List<String> found = keys.stream().filter(this::has).toList();
        if (found.isEmpty()) {
            return positiveInt(keys.get(0));
        }
        int value = positiveInt(found.get(0));
        for (String key : found) {
            if (positiveInt(key) != value) {
                throw invalid(key, "%d, as %s says".formatted(value, found.get(0)));
            }
        }
        return value;
    }

    /** The value of a key, 0 or more. */
    int count(String key, int defaultValue) throws CheckpointException {
        return has(key) ? atLeast(0, key) : defaultValue;
    }

    private int atLeast(int minimum, String key) throws CheckpointException {
        JsonNode value = value(key);
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

    boolean isList(String key) {
        return value(key).isArray();
    }

    /** The list of integers of a key; empty if the key is missing or null. */
    List<Integer> integers(String key) throws CheckpointException {
        List<Integer> integers = new ArrayList<>();
        if (has(key)) {
            if (!value(key).isArray()) {
                throw invalid(key, "a list of integers");
            }
            for (JsonNode value : value(key)) {
                if (!value.isIntegralNumber() || !value.canConvertToInt()) {
                    throw invalid(key, "a list of integers");
                }
                integers.add(value.intValue());
            }
        }
        return integers;
    }

    /**
     * A key whose value is a list with a flag for each layer: true or 1, false or 0.
     *
     * @param layers the number of flags that there must be, or more
     */
    List<Boolean> flagOfEachLayer(String key, int layers) throws CheckpointException {
        List<Boolean> flags = new ArrayList<>();
        for (JsonNode value : value(key)) {
            boolean isBit = value.isIntegralNumber() && (value.asInt() == 0 || value.asInt() == 1);
            if (!value.isBoolean() && !isBit) {
                throw invalid(key, "a list of 0 and 1, or false and true");
            }
            flags.add(value.asBoolean());
        }
        if (flags.size() < layers) {
            throw invalid(key, "one value for each of the %d layers".formatted(layers));
        }
        return flags;
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
