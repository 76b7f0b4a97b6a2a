package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
    private final CheckpointConfig config;
    private final TreeMap<String, String> fileOfTensor = new TreeMap<>();
    private final Map<String, SafetensorsFile> open = new HashMap<>();

    private Checkpoint(Path directory, CheckpointConfig config) {
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
                new Checkpoint(directory, CheckpointConfig.read(directory.resolve("config.json")));
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
        JsonNode weightMap = CheckpointConfig.readJson(index).path("weight_map");
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

    /** What config.json says. */
    public CheckpointConfig config() {
        return config;
    }

    public boolean contains(String tensor) {
        return fileOfTensor.containsKey(tensor);
    }

    /** Whether the name of a tensor begins so. */
    boolean containsPrefix(String prefix) {
        String next = fileOfTensor.ceilingKey(prefix);
        return next != null && next.startsWith(prefix);
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
}
