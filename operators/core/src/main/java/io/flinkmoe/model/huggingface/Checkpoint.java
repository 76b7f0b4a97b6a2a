// SPDX-License-Identifier: Apache-2.0
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
import org.apache.flink.annotation.Internal;

/**
 * A checkpoint directory as the Hugging Face libraries save it: config.json, and the tensors in
 * model.safetensors or in the shards that model.safetensors.index.json lists.
 */
@Internal
final class Checkpoint implements AutoCloseable {
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
     * Opens a checkpoint. Tensors are read on request.
     *
     * @throws CheckpointException if a file is missing or has the wrong format
     */
    static Checkpoint open(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            throw new CheckpointException(
                    directory, "there is no such directory; pass the one that holds config.json");
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
                    directory,
                    "the directory contains neither %s nor %s; expected one of them"
                            .formatted(SINGLE, INDEX));
        }
        JsonNode weightMap = CheckpointConfig.readJson(index).path("weight_map");
        if (!weightMap.isObject()) {
            throw new CheckpointException(
                    index,
                    "weight_map is missing or not an object; expected an object from tensor names to file names");
        }
        for (Map.Entry<String, JsonNode> e : weightMap.properties()) {
            String shard = e.getValue().asText();
            if (!e.getValue().isTextual() || !shard.matches("[\\w-][\\w.-]*")) {
                throw new CheckpointException(
                        index,
                        "weight_map maps tensor %s to %s; expected the name of a file in the same directory"
                                .formatted(e.getKey(), e.getValue()));
            }
            fileOfTensor.put(e.getKey(), shard);
        }
    }

    CheckpointConfig config() {
        return config;
    }

    boolean contains(String tensor) {
        return fileOfTensor.containsKey(tensor);
    }

    /** Whether the name of any tensor begins with the prefix. */
    boolean containsPrefix(String prefix) {
        String next = fileOfTensor.ceilingKey(prefix);
        return next != null && next.startsWith(prefix);
    }

    /**
     * A tensor as floats, row-major.
     *
     * @throws CheckpointException if there is no such tensor, or it has another shape
     */
    float[] floats(String tensor, long... expectedShape) throws IOException {
        return withShape(tensor, expectedShape).floats(tensor);
    }

    /**
     * One of several parts of equal size that a tensor stacks along its first dimension, as floats,
     * row-major. Only that part is read.
     *
     * @param parts a divisor of the first dimension
     * @param expectedShape the shape of the whole tensor
     * @throws CheckpointException if there is no such tensor, or it has another shape
     */
    float[] part(String tensor, int part, int parts, long... expectedShape) throws IOException {
        return withShape(tensor, expectedShape).floats(tensor, part, parts);
    }

    /** The file that holds a tensor; checks the shape of the tensor. */
    private SafetensorsFile withShape(String tensor, long... expectedShape) throws IOException {
        String name = fileOfTensor.get(tensor);
        if (name == null) {
            throw new CheckpointException(
                    directory,
                    "there is no tensor %s among the %d of the checkpoint; the most similar names are %s"
                            .formatted(tensor, fileOfTensor.size(), mostSimilar(tensor)));
        }
        SafetensorsFile file = file(name);
        long[] shape = file.shape(tensor);
        if (!Arrays.equals(shape, expectedShape)) {
            throw new CheckpointException(
                    directory.resolve(name),
                    "tensor %s has shape %s; expected %s according to config.json"
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

    /** The three names with the longest prefix and suffix in common with the given one. */
    private List<String> mostSimilar(String tensor) {
        Comparator<String> bySimilarity = Comparator.comparingInt(name -> similarity(name, tensor));
        return fileOfTensor.keySet().stream().sorted(bySimilarity.reversed()).limit(3).toList();
    }

    private static int similarity(String a, String b) {
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
