package io.flinkmoe.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A checkpoint folder as Hugging Face's libraries save it: config.json, and the tensors in
 * model.safetensors or in the shards that model.safetensors.index.json names.
 */
public final class Checkpoint implements AutoCloseable {
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";

    private final Path directory;
    private final JsonNode config;
    private final Map<String, String> fileOfTensor = new TreeMap<>();
    private final Map<String, SafetensorsFile> open = new HashMap<>();

    private Checkpoint(Path directory, JsonNode config) {
        this.directory = directory;
        this.config = config;
    }

    /**
     * Opens a checkpoint; tensors are read when they are asked for.
     *
     * @throws CheckpointException if a file is missing or is not what its name says
     */
    public static Checkpoint open(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            throw new CheckpointException(
                    directory, "there is no such directory; give the one that holds config.json");
        }
        Checkpoint checkpoint =
                new Checkpoint(directory, readJson(directory.resolve("config.json")));
        try {
            checkpoint.findTensors();
        } catch (IOException | RuntimeException e) {
            checkpoint.close();
            throw e;
        }
        return checkpoint;
    }

    private void findTensors() throws IOException {
        if (Files.exists(directory.resolve(SINGLE))) {
            file(SINGLE).tensors().keySet().forEach(name -> fileOfTensor.put(name, SINGLE));
            return;
        }
        Path index = directory.resolve(INDEX);
        if (!Files.exists(index)) {
            throw new CheckpointException(
                    directory, "it holds neither %s nor %s".formatted(SINGLE, INDEX));
        }
        JsonNode weightMap = readJson(index).path("weight_map");
        if (!weightMap.isObject()) {
            throw new CheckpointException(
                    index, "weight_map is missing; expected an object from tensors to files");
        }
        for (Map.Entry<String, JsonNode> e : weightMap.properties()) {
            String shard = e.getValue().asText();
            if (!e.getValue().isTextual() || !shard.matches("[\\w-][\\w.-]*")) {
                throw new CheckpointException(
                        index,
                        "weight_map sends tensor %s to %s; expected the name of a file beside it"
                                .formatted(e.getKey(), e.getValue()));
            }
            fileOfTensor.put(e.getKey(), shard);
        }
    }

    /** Whether config.json has a key, with a value other than null. */
    boolean has(String key) {
        return !value(key).isMissingNode() && !value(key).isNull();
    }

    /** Whether config.json has a key, and its value is null. */
    boolean isNull(String key) {
        return value(key).isNull();
    }

    /** The text of a key of config.json, or the default if the key is not there. */
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

    /** The value of a key of config.json that must be there, 1 or more. */
    public int positiveInt(String key) throws CheckpointException {
        return atLeast(1, key);
    }

    /** The value of a key of config.json, 0 or more, or the default if the key is not there. */
    int count(String key, int defaultValue) throws CheckpointException {
        return has(key) ? atLeast(0, key) : defaultValue;
    }

    private int atLeast(int minimum, String key) throws CheckpointException {
        JsonNode value = value(key);
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < minimum) {
            throw badConfig(key, "an integer of %d or more".formatted(minimum));
        }
        return value.intValue();
    }

    /** The value of a key of config.json, or the default if the key is not there. */
    boolean flag(String key, boolean defaultValue) throws CheckpointException {
        if (!has(key)) {
            return defaultValue;
        }
        if (!value(key).isBoolean()) {
            throw badConfig(key, "true or false");
        }
        return value(key).booleanValue();
    }

    /** The value of a key of config.json, or the default if the key is not there. */
    double number(String key, double defaultValue) throws CheckpointException {
        if (!has(key)) {
            return defaultValue;
        }
        if (!value(key).isNumber()) {
            throw badConfig(key, "a number");
        }
        return value(key).doubleValue();
    }

    /** The values of a key of config.json; empty if the key is not there. */
    List<Integer> integers(String key) throws CheckpointException {
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

    /** The value of a key of config.json, above 0, or the default if the key is not there. */
    public float positiveFloat(String key, float defaultValue) throws CheckpointException {
        JsonNode value = value(key);
        if (value.isMissingNode()) {
            return defaultValue;
        }
        if (!value.isNumber() || !(value.floatValue() > 0)) {
            throw badConfig(key, "a number above 0");
        }
        return value.floatValue();
    }

    /** An error about a key of config.json. */
    CheckpointException badConfig(String key, String expected) {
        JsonNode value = value(key);
        return badConfig(
                "%s is %s; expected %s"
                        .formatted(key, value.isMissingNode() ? "missing" : value, expected));
    }

    /** An error about config.json. */
    CheckpointException badConfig(String message) {
        return new CheckpointException(directory.resolve("config.json"), message);
    }

    /** A dot in the key goes into an object, as in {@code ffn_config.moe_top_k}. */
    private JsonNode value(String key) {
        JsonNode value = config;
        for (String name : key.split("\\.")) {
            value = value.path(name);
        }
        return value;
    }

    public boolean contains(String tensor) {
        return fileOfTensor.containsKey(tensor);
    }

    /**
     * A tensor as floats, row-major.
     *
     * @throws CheckpointException if there is no such tensor, or its shape is another
     */
    public float[] floats(String tensor, long... expectedShape) throws IOException {
        return withShape(tensor, expectedShape).floats(tensor);
    }

    /**
     * One of several parts of equal size that a tensor stacks along its first dimension, as floats,
     * row-major; only the part is read.
     *
     * @param parts a divisor of the first dimension
     * @throws CheckpointException if there is no such tensor, or its shape is another
     */
    float[] part(String tensor, int part, int parts, long... expectedShape) throws IOException {
        return withShape(tensor, expectedShape).floats(tensor, part, parts);
    }

    /** The file of a tensor, which must be of the shape. */
    private SafetensorsFile withShape(String tensor, long... expectedShape) throws IOException {
        String name = fileOfTensor.get(tensor);
        if (name == null) {
            throw new CheckpointException(
                    directory,
                    "there is no tensor %s among %d; near it are %s"
                            .formatted(tensor, fileOfTensor.size(), near(tensor)));
        }
        SafetensorsFile file = file(name);
        long[] shape = file.shape(tensor);
        if (!Arrays.equals(shape, expectedShape)) {
            throw new CheckpointException(
                    directory.resolve(name),
                    "tensor %s is %s; by config.json it must be %s"
                            .formatted(
                                    tensor,
                                    Arrays.toString(shape),
                                    Arrays.toString(expectedShape)));
        }
        return file;
    }

    @Override
    public void close() throws IOException {
        for (SafetensorsFile file : open.values()) {
            file.close();
        }
        open.clear();
    }

    private SafetensorsFile file(String name) throws IOException {
        SafetensorsFile file = open.get(name);
        if (file == null) {
            file = SafetensorsFile.open(directory.resolve(name));
            open.put(name, file);
        }
        return file;
    }

    /** The names that share most of their beginning and end with the one asked for. */
    private List<String> near(String tensor) {
        Comparator<String> byLikeness = Comparator.comparingInt(name -> likeness(name, tensor));
        return fileOfTensor.keySet().stream().sorted(byLikeness.reversed()).limit(3).toList();
    }

    private static int likeness(String a, String b) {
        int shorter = Math.min(a.length(), b.length());
        int begin = 0;
        while (begin < shorter && a.charAt(begin) == b.charAt(begin)) {
            begin++;
        }
        int end = 0;
        while (end < shorter - begin
                && a.charAt(a.length() - 1 - end) == b.charAt(b.length() - 1 - end)) {
            end++;
        }
        return begin + end;
    }

    private static JsonNode readJson(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new CheckpointException(
                    file, "there is no such file; a checkpoint folder has one");
        }
        try {
            JsonNode json = new ObjectMapper().readTree(Files.readAllBytes(file));
            if (json.isObject()) {
                return json;
            }
            throw new CheckpointException(file, "it is not a JSON object");
        } catch (JsonProcessingException e) {
            throw new CheckpointException(
                    file,
                    "not valid JSON at line %d: %s"
                            .formatted(e.getLocation().getLineNr(), e.getOriginalMessage()),
                    e);
        }
    }
}
