// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.proto;

import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.model.graph.ProtoWriter;
import io.flinkmoe.model.proto.ExternalData.Message;
import io.flinkmoe.model.proto.ProtoReader.MalformedException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * An ONNX model with all its weights in one file. Weights that an exporter has stored beside the
 * model (ONNX external data, {@code NAME.onnx.data}) move into it; nothing else changes. Files are
 * mapped, so the heap does not grow with the weights.
 */
@Internal
public final class InlinedModel {

    private static final int TENSOR_NAME = 8;
    private static final int TENSOR_RAW_DATA = 9;
    private static final int EXTERNAL = 1;

    private final Path model;
    private final Path folder;
    private final Map<Path, ByteBuffer> files = new HashMap<>();

    private InlinedModel(Path model) {
        this.model = model;
        this.folder = model.toAbsolutePath().normalize().getParent();
    }

    /** A model refers to a separate file that cannot be used. */
    public static final class ExternalFileException extends IOException {
        private static final long serialVersionUID = 1L;

        ExternalFileException(String message) {
            super(message);
        }
    }

    /**
     * The content of a file. A model without external data keeps its bytes.
     *
     * @throws ExternalFileException if a separate file is missing, too short or in another folder;
     *     the message does not name the model
     * @throws IllegalArgumentException when the content is written or its size is asked for, if it
     *     has 2 GiB or more, the limit of ONNX
     */
    public static FileContent of(Path file) throws IOException, MalformedException {
        ByteBuffer bytes = map(file);
        if (!ExternalData.isIn(new ProtoReader(bytes))) {
            return FileContent.of(bytes);
        }
        return new InlinedModel(file).inline(Message.MODEL, new ProtoReader(bytes));
    }

    private static ByteBuffer map(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            if (channel.size() > Integer.MAX_VALUE) {
                throw new ExternalFileException(
                        "%s has %d bytes; an ONNX model must be smaller than 2 GiB with its weights"
                                .formatted(file.getFileName(), channel.size()));
            }
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
        }
    }

    private ProtoWriter inline(Message kind, ProtoReader message)
            throws IOException, MalformedException {
        ProtoWriter copy = new ProtoWriter();
        for (int field; (field = message.nextField()) != 0; ) {
            Message inner = kind.in(field);
            int wireType = message.wireType();
            if (inner == null) {
                copy.encoded(field, wireType, FileContent.of(message.encoded()));
                continue;
            }
            ProtoReader value = message.message();
            if (!ExternalData.isIn(inner, value.duplicate(), 0)) {
                copy.bytes(field, FileContent.of(value.duplicate().rest()));
            } else if (inner == Message.TENSOR) {
                copy.message(field, inlineTensor(value));
            } else {
                copy.message(field, inline(inner, value));
            }
        }
        return copy;
    }

    private ProtoWriter inlineTensor(ProtoReader tensor) throws IOException, MalformedException {
        ProtoWriter copy = new ProtoWriter();
        Map<String, String> entries = new HashMap<>();
        int location = 0;
        String name = "";
        for (int field; (field = tensor.nextField()) != 0; ) {
            switch (field) {
                case ExternalData.ENTRIES -> addEntry(tensor.message(), entries);
                case ExternalData.LOCATION -> location = (int) tensor.varint();
                case TENSOR_NAME -> {
                    name = tensor.string();
                    copy.string(TENSOR_NAME, name);
                }
                default -> copy.encoded(field, tensor.wireType(), FileContent.of(tensor.encoded()));
            }
        }
        return location == EXTERNAL
                ? copy.bytes(TENSOR_RAW_DATA, FileContent.of(data(name, entries)))
                : copy;
    }

    private static void addEntry(ProtoReader entry, Map<String, String> entries)
            throws MalformedException {
        String key = "";
        String value = "";
        for (int field; (field = entry.nextField()) != 0; ) {
            switch (field) {
                case 1 -> key = entry.string();
                case 2 -> value = entry.string();
                default -> entry.skip();
            }
        }
        entries.put(key, value);
    }

    /** The bytes of a tensor. */
    private ByteBuffer data(String tensor, Map<String, String> entries)
            throws IOException, MalformedException {
        String location = entries.getOrDefault("location", "");
        Path path = path(tensor, location);
        ByteBuffer file = files.get(path);
        if (file == null) {
            file = map(path);
            files.put(path, file);
        }
        long offset = number(tensor, "offset", entries, 0);
        long length = number(tensor, "length", entries, file.limit() - offset);
        if (offset > file.limit() || length < 0 || length > file.limit() - offset) {
            throw new ExternalFileException(
                    "the weights of %s are the bytes %d to %d of %s, but that file has %d bytes; copy it again from where the model was exported"
                            .formatted(tensor, offset, offset + length, location, file.limit()));
        }
        return file.slice((int) offset, (int) length);
    }

    private Path path(String tensor, String location) throws IOException {
        Path path = beside(location);
        if (path == null) {
            throw new ExternalFileException(
                    "the weights of %s are in '%s'; allowed: a file in the model's own folder"
                            .formatted(tensor, location));
        }
        if (!Files.isRegularFile(path)) {
            throw new ExternalFileException(
                    "the weights of %s are in a separate file, %s, which is not there; copy it into the folder of %s"
                            .formatted(tensor, path, model.getFileName()));
        }
        Path real = path.toRealPath();
        if (!real.startsWith(folder.toRealPath())) {
            throw new ExternalFileException(
                    "the weights of %s are in %s, which links to %s outside the model's folder; copy the file into the folder"
                            .formatted(tensor, location, real));
        }
        return path;
    }

    /** A path inside the folder of the model, or null. */
    private Path beside(String location) {
        try {
            Path path = folder.resolve(location).normalize();
            boolean isInside = path.startsWith(folder) && !path.equals(folder);
            return Path.of(location).isAbsolute() || !isInside ? null : path;
        } catch (InvalidPathException e) {
            return null;
        }
    }

    private static long number(
            String tensor, String key, Map<String, String> entries, long otherwise)
            throws MalformedException {
        String value = entries.get(key);
        try {
            long number = value == null ? otherwise : Long.parseLong(value);
            if (number >= 0 || value == null) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Reported below.
        }
        throw new MalformedException(
                "the %s of the external data of %s is '%s'; expected a number"
                        .formatted(key, tensor, value));
    }
}
