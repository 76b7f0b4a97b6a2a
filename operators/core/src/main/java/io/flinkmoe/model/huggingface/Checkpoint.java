// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.FileErrors;
import io.flinkmoe.tensor.FloatCheck;
import io.flinkmoe.tensor.SafetensorsException;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * A checkpoint directory as the Hugging Face libraries save it: config.json, and tensors in
 * safetensors files. Tensors are asked for by their plain names ({@link TensorNames}); messages
 * have the names in the files.
 */
@Internal
final class Checkpoint implements AutoCloseable {
    private final Path directory;
    private final CheckpointConfig config;
    private final CheckpointFiles files;
    private final TensorNames names;
    private final Quantization quantization;
    private final Set<String> used = new HashSet<>();

    private Checkpoint(Path directory, CheckpointConfig config, CheckpointFiles files) {
        this.directory = directory;
        this.config = config;
        this.files = files;
        this.names = new TensorNames(files.tensors());
        this.quantization = new Quantization(names, config);
    }

    /**
     * Opens a checkpoint. Tensors are read on request.
     *
     * @throws CheckpointException if a file is missing or has the wrong format
     */
    static Checkpoint open(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            throw new CheckpointException(
                    directory,
                    "%s; pass the one that holds config.json%s"
                            .formatted(FileErrors.notAFolder(directory), hubHint(directory)));
        }
        CheckpointFiles files = new CheckpointFiles(directory);
        try {
            Path config = directory.resolve("config.json");
            if (!Files.exists(config, LinkOption.NOFOLLOW_LINKS)) {
                throw new CheckpointException(
                        config,
                        "there is no such file; a checkpoint directory must contain one"
                                + files.hint());
            }
            CheckpointConfig read = CheckpointConfig.read(config);
            files.find();
            return new Checkpoint(directory, read, files);
        } catch (IOException | RuntimeException e) {
            files.close();
            throw e;
        }
    }

    /** What to do if the path looks like the name of a model of the hub. */
    private static String hubHint(Path directory) {
        boolean name = directory.toString().matches("\\w[\\w.-]*/\\w[\\w.-]*");
        return name && !Files.exists(directory)
                ? ". A model of the Hugging Face hub must be downloaded first: hf download %s --local-dir DIR"
                        .formatted(directory)
                : "";
    }

    CheckpointConfig config() {
        return config;
    }

    boolean contains(String tensor) {
        return names.contains(tensor);
    }

    /** The names of all tensors, without wrappers. */
    TensorNames names() {
        return names;
    }

    Path directory() {
        return directory;
    }

    /** Remembers that tensors, which need not be there, are part of what is imported. */
    void use(String... tensors) {
        used.addAll(Arrays.asList(tensors));
    }

    boolean isUsed(String tensor) {
        return used.contains(tensor);
    }

    /** The shape of a tensor that is not packed. */
    long[] shape(String tensor) throws IOException {
        return plainFile(tensor).shape(names.stored(tensor));
    }

    /**
     * A tensor as floats, row-major.
     *
     * @throws CheckpointException if there is no such tensor, or it has another shape
     * @throws SafetensorsException if a value is not finite
     */
    float[] floats(String tensor, long... expectedShape) throws IOException {
        SafetensorsFile file = plainFile(tensor);
        if (!Arrays.equals(file.shape(names.stored(tensor)), expectedShape)) {
            throw wrongShape(tensor, Arrays.toString(expectedShape));
        }
        return file.floats(names.stored(tensor), FloatCheck.FINITE);
    }

    /** The file that holds a tensor of floats, which must not be packed. */
    SafetensorsFile plainFile(String tensor) throws IOException {
        SafetensorsFile file = file(tensor);
        String stored = names.stored(tensor);
        Optional<String> packed = quantization.of(tensor, file.typeName(stored));
        if (packed.isPresent()) {
            throw new CheckpointException(files.pathOf(stored), packed.get());
        }
        return file;
    }

    /** An error about the shape of a tensor. */
    CheckpointException wrongShape(String tensor, String expected) throws IOException {
        return new CheckpointException(
                files.pathOf(names.stored(tensor)),
                "tensor %s has shape %s; expected %s according to config.json"
                        .formatted(
                                names.stored(tensor),
                                Arrays.toString(file(tensor).shape(names.stored(tensor))),
                                expected));
    }

    /** The file that holds a tensor of any type. */
    SafetensorsFile file(String tensor) throws IOException {
        use(tensor);
        String stored = names.stored(tensor);
        if (stored == null) {
            throw missing(tensor);
        }
        if (names.second(tensor) != null) {
            throw new CheckpointException(
                    directory,
                    "%s and %s are the same tensor; keep one of them"
                            .formatted(stored, names.second(tensor)));
        }
        SafetensorsFile file = files.fileOf(stored);
        if (!file.names().contains(stored)) {
            throw new CheckpointException(
                    files.pathOf(stored),
                    "it does not contain tensor %s, but the index says so; download both again"
                            .formatted(stored));
        }
        return file;
    }

    /** The path of the file that holds a tensor. */
    Path pathOf(String tensor) {
        return files.pathOf(names.stored(tensor));
    }

    CheckpointException missing(String tensor) {
        String reason =
                quantization
                        .of(tensor, null)
                        .orElseGet(
                                () ->
                                        "there is no tensor %s among the %d of the checkpoint; the most similar names are %s"
                                                .formatted(
                                                        tensor,
                                                        names.all().size(),
                                                        names.mostSimilar(tensor)));
        return new CheckpointException(directory, reason);
    }

    @Override
    public void close() throws IOException {
        files.close();
    }
}
