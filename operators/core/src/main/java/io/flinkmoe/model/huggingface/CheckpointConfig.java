// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.model.Activation;
import io.flinkmoe.model.JsonFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.flink.annotation.Internal;

/**
 * The config.json of a checkpoint. A dot in a key descends into an object: {@code
 * ffn_config.moe_top_k}. The methods throw {@link CheckpointException} if a value has the wrong
 * type. Those with a default value return it if the key is missing or null.
 */
@Internal
final class CheckpointConfig {
    private final Path file;
    private final JsonNode config;

    private CheckpointConfig(Path file, JsonNode config) {
        this.file = file;
        this.config = config;
    }

    static CheckpointConfig read(Path file) throws IOException {
        return new CheckpointConfig(file, readJson(file));
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
                "%s is %s; expected %s"
                        .formatted(key, value.isMissingNode() ? "missing" : value, expected));
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
                    file, "there is no such file; a checkpoint directory must contain one");
        }
        return JsonFile.readObject(new ObjectMapper(), file, CheckpointException::new);
    }
}
