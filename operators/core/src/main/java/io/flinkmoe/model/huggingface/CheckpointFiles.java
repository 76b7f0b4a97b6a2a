// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * The safetensors files of a checkpoint: model.safetensors, or the shards that
 * model.safetensors.index.json lists. Other files beside them are not read.
 */
@Internal
final class CheckpointFiles implements AutoCloseable {
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";

    private final Path directory;
    private final Map<String, String> fileOfTensor = new TreeMap<>();
    private final Map<String, SafetensorsFile> open = new HashMap<>();

    CheckpointFiles(Path directory) {
        this.directory = directory;
    }

    /**
     * Finds the tensors.
     *
     * @throws CheckpointException if there are neither model.safetensors nor an index
     */
    void find() throws IOException {
        if (Files.exists(directory.resolve(SINGLE), LinkOption.NOFOLLOW_LINKS)) {
            for (String tensor : file(SINGLE).names()) {
                fileOfTensor.put(tensor, SINGLE);
            }
            return;
        }
        Path index = directory.resolve(INDEX);
        if (!Files.exists(index, LinkOption.NOFOLLOW_LINKS)) {
            throw noTensors();
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

    /** The names of all tensors, as they are stored. */
    Set<String> tensors() {
        return fileOfTensor.keySet();
    }

    /** The path of the file that holds a tensor. */
    Path pathOf(String tensor) {
        return directory.resolve(fileOfTensor.get(tensor));
    }

    /**
     * The file that holds a tensor.
     *
     * @throws CheckpointException if the file is missing; the message names all that are
     */
    SafetensorsFile fileOf(String tensor) throws IOException {
        String name = fileOfTensor.get(tensor);
        if (!Files.exists(directory.resolve(name))) {
            Set<String> missing = new TreeSet<>(fileOfTensor.values());
            missing.removeIf(shard -> Files.exists(directory.resolve(shard)));
            throw new CheckpointException(
                    directory.resolve(name),
                    "there is no such file, but %s says that it holds tensor %s; missing are %s: complete the download"
                            .formatted(INDEX, tensor, String.join(", ", missing)));
        }
        return file(name);
    }

    private SafetensorsFile file(String name) throws IOException {
        SafetensorsFile file = open.get(name);
        if (file == null) {
            file = SafetensorsFile.open(directory.resolve(name));
            open.put(name, file);
        }
        return file;
    }

    private CheckpointException noTensors() throws IOException {
        return new CheckpointException(
                directory,
                "the directory contains neither %s nor %s; expected one of them%s"
                        .formatted(SINGLE, INDEX, hint()));
    }

    /** What the directory contains instead of a checkpoint, and what to do; may be empty. */
    String hint() throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return hint(entries.map(path -> path.getFileName().toString()).sorted().toList());
        }
    }

    private static String hint(List<String> names) {
        if (names.contains("snapshots") && names.contains("blobs")) {
            return ". It is a folder of the hub's cache: pass one of the folders in its snapshots";
        }
        String part = first(names, ".*\\.(part|partial|incomplete|crdownload|download|aria2|tmp)");
        if (part != null) {
            return ". It contains %s, an unfinished download: complete the download"
                    .formatted(part);
        }
        String shard = first(names, "model-\\d+-of-\\d+\\.safetensors");
        if (shard != null) {
            return ". It contains %s: download the index of the shards, too".formatted(shard);
        }
        String torch = first(names, ".*\\.(bin|bin\\.index\\.json|pt|pth|ckpt)");
        String meta = first(names, "consolidated\\.\\d+\\.pth");
        if (meta != null && (torch == null || torch.endsWith(".pth"))) {
            return (". %s is Meta's own form, which cannot be imported: download the form of the"
                            + " Hugging Face libraries, with config.json and model*.safetensors")
                    .formatted(meta);
        }
        if (torch != null) {
            return (". It contains PyTorch files (%s): download the safetensors files, or convert with"
                            + " transformers: AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(NEW)")
                    .formatted(torch);
        }
        String tensors = first(names, ".*\\.safetensors");
        if (tensors != null) {
            return (". %s is not the form of the Hugging Face libraries: download the files of that"
                            + " form, or save the model with save_pretrained")
                    .formatted(tensors);
        }
        String other = first(names, ".*\\.(onnx|onnx_data|gguf|h5|msgpack|ot|npz|tflite)");
        return other == null
                ? ""
                : ". It contains %s, which cannot be imported: download the safetensors files"
                        .formatted(other);
    }

    private static String first(List<String> names, String pattern) {
        return names.stream().filter(name -> name.matches(pattern)).findFirst().orElse(null);
    }

    @Override
    public void close() throws IOException {
        for (SafetensorsFile file : open.values()) {
            file.close();
        }
        open.clear();
    }
}
