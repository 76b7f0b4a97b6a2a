package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.model.JsonFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A checkpoint's config.json. A dot in a key goes into an object, as in {@code
 * ffn_config.moe_top_k}. A value of another type than asked for is a {@link CheckpointException}.
 */
public final class CheckpointConfig {
    private final Path file;
    private final JsonNode config;

    private CheckpointConfig(Path file, JsonNode config) {
        this.file = file;
        this.config = config;
    }

    static CheckpointConfig read(Path file) throws IOException {
        return new CheckpointConfig(file, readJson(file));
    }

    /** Whether there is a key, with a value other than null. */
    public boolean has(String key) {
        return !value(key).isMissingNode() && !value(key).isNull();
    }

    /** Whether there is a key, and its value is null. */
    public boolean isNull(String key) {
        return value(key).isNull();
    }

    /** The text of a key, or the default if the key is not there. */
    public String text(String key, String defaultValue) throws CheckpointException {
        JsonNode value = value(key);
        if (value.isMissingNode() || value.isNull()) {
            return defaultValue;
        }
        if (!value.isTextual()) {
            throw badConfig(key, "a text");
        }
        return value.textValue();
    }

    /** The value of a key that must be there, 1 or more. */
    public int positiveInt(String key) throws CheckpointException {
        return atLeast(1, key);
    }

    /** The value of a key, 0 or more, or the default if the key is not there. */
    public int count(String key, int defaultValue) throws CheckpointException {
        return has(key) ? atLeast(0, key) : defaultValue;
    }

    private int atLeast(int minimum, String key) throws CheckpointException {
        JsonNode value = value(key);
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < minimum) {
            throw badConfig(key, "an integer of %d or more".formatted(minimum));
        }
        return value.intValue();
    }

    /** The value of a key, or the default if the key is not there. */
    public boolean flag(String key, boolean defaultValue) throws CheckpointException {
        if (!has(key)) {
            return defaultValue;
        }
        if (!value(key).isBoolean()) {
            throw badConfig(key, "true or false");
        }
        return value(key).booleanValue();
    }

    /** The value of a key, which is finite, or the default if the key is not there. */
    public double number(String key, double defaultValue) throws CheckpointException {
        if (!has(key)) {
            return defaultValue;
        }
        if (!value(key).isNumber() || !Double.isFinite(value(key).doubleValue())) {
            throw badConfig(key, "a number");
        }
        return value(key).doubleValue();
    }

    /** The values of a key; empty if the key is not there. */
    public List<Integer> integers(String key) throws CheckpointException {
        List<Integer> integers = new ArrayList<>();
        if (has(key)) {
            if (!value(key).isArray()) {
                throw badConfig(key, "a list of integers");
            }
            for (JsonNode value : value(key)) {
                if (!value.isIntegralNumber() || !value.canConvertToInt()) {
                    throw badConfig(key, "a list of integers");
                }
                integers.add(value.intValue());
            }
        }
        return integers;
    }

    /** The value of a key, above 0 and finite, or the default if the key is not there. */
    public float positiveFloat(String key, float defaultValue) throws CheckpointException {
        JsonNode value = value(key);
        if (value.isMissingNode()) {
            return defaultValue;
        }
        if (!value.isNumber()
                || !(value.floatValue() > 0)
                || Float.isInfinite(value.floatValue())) {
            throw badConfig(key, "a number above 0");
        }
        return value.floatValue();
    }

    /** An error about a key. */
    CheckpointException badConfig(String key, String expected) {
        JsonNode value = value(key);
        return badConfig(
                "%s is %s; expected %s"
                        .formatted(key, value.isMissingNode() ? "missing" : value, expected));
    }

    /** An error about the file. */
    CheckpointException badConfig(String message) {
        return new CheckpointException(file, message);
    }

    private JsonNode value(String key) {
        JsonNode value = config;
        for (String name : key.split("\\.")) {
            value = value.path(name);
        }
        return value;
    }

    static JsonNode readJson(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new CheckpointException(
                    file, "there is no such file; a checkpoint folder has one");
        }
        return JsonFile.readObject(new ObjectMapper(), file, CheckpointException::new);
    }
}
