// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;

/** An open safetensors file; reads the header and requested tensors only. Thread-safe. */
@PublicEvolving
public final class SafetensorsFile implements AutoCloseable {
    private static final int MAX_HEADER_BYTES = 100_000_000;
    private static final int CHUNK_BYTES = 1 << 16;

    private final Path path;
    private final FileChannel channel;
    private final Map<String, TensorInfo> tensors;

    private SafetensorsFile(Path path, FileChannel channel, Map<String, TensorInfo> tensors) {
        this.path = path;
        this.channel = channel;
        this.tensors = Collections.unmodifiableMap(tensors);
    }

    /**
     * Opens a file and reads its header.
     *
     * @throws SafetensorsException if the file does not exist or its header is damaged
     */
    public static SafetensorsFile open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new SafetensorsException(path, "there is no such file");
        }
        FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
        try {
            return new SafetensorsFile(path, channel, readHeader(path, channel));
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private static Map<String, TensorInfo> readHeader(Path path, FileChannel channel)
            throws IOException {
        long fileSize = channel.size();
        if (fileSize < 8) {
            throw new SafetensorsException(
                    path,
                    "the file has %d bytes; expected at least 8, the length of the header"
                            .formatted(fileSize));
        }
        long length = readFully(path, channel, 0, ByteBuffer.allocate(8)).getLong(0);
        long limit = Math.min(MAX_HEADER_BYTES, fileSize - 8);
        if (length < 0 || length > limit) {
            throw new SafetensorsException(
                    path,
                    "the length of the header is %s bytes; allowed: up to %d in this file, up to %d in any file"
                            .formatted(Long.toUnsignedString(length), limit, MAX_HEADER_BYTES));
        }
        byte[] json =
                readFully(path, channel, 8, ByteBuffer.allocate(Math.toIntExact(length))).array();
        return new SafetensorsHeader(path, 8 + length, fileSize - 8 - length).parse(json);
    }

    /** The tensors by name, in the order of their data in the file. */
    public Map<String, TensorInfo> tensors() {
        return tensors;
    }

    public boolean contains(String name) {
        return tensors.containsKey(name);
    }

    /** The dimensions of a tensor; empty for a scalar. */
    public long[] shape(String name) throws SafetensorsException {
        return info(name).shape().stream().mapToLong(Long::longValue).toArray();
    }

    /**
     * A tensor of type F64, F32, F16 or BF16 as floats, row-major. F64 is rounded.
     *
     * @throws SafetensorsException if there is no such tensor, or it has another type
     */
    public float[] floats(String name) throws IOException {
        return floats(name, FloatCheck.ANY);
    }

    /**
     * The same, with a check of each float.
     *
     * @throws SafetensorsException also if the check fails; it names the index of the first float
     *     that is not accepted
     */
    public float[] floats(String name, FloatCheck check) throws IOException {
        return floats(info(name), check);
    }

    /**
     * One of several parts of equal size that a tensor stacks along its first dimension, as floats,
     * row-major. The other parts are not read.
     *
     * @param part the index of the part, from 0 to parts - 1
     * @param parts a divisor of the first dimension
     * @throws SafetensorsException if there is no such tensor, it has another type, or the check of
     *     its floats fails
     * @throws IllegalArgumentException if there is no such part
     */
    public float[] floats(String name, int part, int parts, FloatCheck check) throws IOException {
        TensorInfo all = info(name);
        if (part < 0 || part >= parts || all.shape().isEmpty() || all.shape().get(0) % parts != 0) {
            throw new IllegalArgumentException(
                    "%s: part %d of %d of tensor %s does not exist; its shape is %s: parts must divide its first dimension"
                            .formatted(path, part, parts, name, all.shape()));
        }
        long size = all.byteSize() / parts;
        List<Long> shape = new ArrayList<>(all.shape());
        shape.set(0, shape.get(0) / parts);
        return floats(
                new TensorInfo(name, all.dtype(), shape, all.position() + part * size, size),
                check);
    }

    /** The same without a check. */
    public float[] floats(String name, int part, int parts) throws IOException {
        return floats(name, part, parts, FloatCheck.ANY);
    }

    private float[] floats(TensorInfo tensor, FloatCheck check) throws IOException {
        switch (tensor.dtype()) {
            case F64, F32, F16, BF16 -> {}
            default ->
                    throw wrongType(tensor, "expected one of F64, F32, F16, BF16 to read floats");
        }
        float[] out = new float[arrayLength(tensor)];
        forEachChunk(
                tensor,
                (bytes, at, n) -> {
                    switch (tensor.dtype()) {
                        case F32 -> bytes.asFloatBuffer().get(out, at, n);
                        case F64 -> {
                            for (int i = 0; i < n; i++) {
                                out[at + i] = (float) bytes.getDouble(8 * i);
                            }
                        }
                        case BF16 -> {
                            for (int i = 0; i < n; i++) {
                                out[at + i] = Float.intBitsToFloat(bytes.getShort(2 * i) << 16);
                            }
                        }
                        default -> {
                            for (int i = 0; i < n; i++) {
                                out[at + i] = Floats.fromHalf(bytes.getShort(2 * i));
                            }
                        }
                    }
                    int bad = check.firstBad(out, at, n);
                    if (bad >= 0) {
                        throw notAccepted(tensor, bad, out[bad], check);
                    }
                });
        return out;
    }

    /** The message counts within the whole tensor, of which {@code read} may be a part. */
    private SafetensorsException notAccepted(
            TensorInfo read, int element, float value, FloatCheck check)
            throws SafetensorsException {
        TensorInfo whole = info(read.name());
        long before = (read.position() - whole.position()) / whole.dtype().bytes();
        return new SafetensorsException(
                path,
                read.name(),
                "value %s is %s; allowed: %s"
                        .formatted(
                                FloatCheck.indices(whole.shape(), before + element),
                                value,
                                check.allowed()));
    }

    /**
     * A tensor of type I64, I32, I16, I8 or U8 as ints, row-major.
     *
     * @throws SafetensorsException if there is no such tensor, it has another type, or a value does
     *     not fit an int
     */
    public int[] ints(String name) throws IOException {
        TensorInfo tensor = info(name);
        switch (tensor.dtype()) {
            case I64, I32, I16, I8, U8 -> {}
            default ->
                    throw wrongType(tensor, "expected one of I64, I32, I16, I8, U8 to read ints");
        }
        int[] out = new int[arrayLength(tensor)];
        forEachChunk(
                tensor,
                (bytes, at, n) -> {
                    for (int i = 0; i < n; i++) {
                        out[at + i] =
                                switch (tensor.dtype()) {
                                    case I64 -> toInt(tensor, bytes.getLong(8 * i), at + i);
                                    case I32 -> bytes.getInt(4 * i);
                                    case I16 -> bytes.getShort(2 * i);
                                    case I8 -> bytes.get(i);
                                    default -> bytes.get(i) & 0xff;
                                };
                    }
                });
        return out;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    private TensorInfo info(String name) throws SafetensorsException {
        TensorInfo tensor = tensors.get(name);
        if (tensor == null) {
            throw new SafetensorsException(
                    path,
                    name,
                    "there is no such tensor; the file has %d tensors, the first of which are %s"
                            .formatted(
                                    tensors.size(), tensors.keySet().stream().limit(8).toList()));
        }
        return tensor;
    }

    private SafetensorsException wrongType(TensorInfo tensor, String allowed) {
        return new SafetensorsException(
                path, tensor.name(), "dtype is %s; %s".formatted(tensor.dtype(), allowed));
    }

    private int arrayLength(TensorInfo tensor) throws SafetensorsException {
        if (tensor.elements() > Integer.MAX_VALUE - 8) {
            throw new SafetensorsException(
                    path,
                    tensor.name(),
                    "it has %d elements; allowed: up to %d, the limit of a Java array"
                            .formatted(tensor.elements(), Integer.MAX_VALUE - 8));
        }
        return (int) tensor.elements();
    }

    private int toInt(TensorInfo tensor, long value, int index) throws SafetensorsException {
        if (value != (int) value) {
            throw new SafetensorsException(
                    path,
                    tensor.name(),
                    "element %d is %d; allowed: %d to %d"
                            .formatted(index, value, Integer.MIN_VALUE, Integer.MAX_VALUE));
        }
        return (int) value;
    }

    private interface ChunkReader {
        /**
         * Reads the {@code n} elements in {@code bytes}, the first of which is element {@code at}.
         */
        void read(ByteBuffer bytes, int at, int n) throws SafetensorsException;
    }

    private void forEachChunk(TensorInfo tensor, ChunkReader reader) throws IOException {
        int elements = (int) tensor.elements();
        int size = tensor.dtype().bytes();
        int perChunk = Math.min(elements, CHUNK_BYTES / size);
        ByteBuffer chunk = ByteBuffer.allocateDirect(perChunk * size);
        for (int at = 0, n; at < elements; at += n) {
            n = Math.min(perChunk, elements - at);
            chunk.clear().limit(n * size);
            readFully(path, channel, tensor.position() + (long) at * size, chunk);
            reader.read(chunk, at, n);
        }
    }

    /** Fills the buffer, flips it, and sets its order to little endian. */
    private static ByteBuffer readFully(
            Path path, FileChannel channel, long position, ByteBuffer into) throws IOException {
        while (into.hasRemaining()) {
            int n = channel.read(into, position + into.position());
            if (n < 0) {
                throw new SafetensorsException(
                        path,
                        "the file ends at byte %d; expected at least %d bytes: it was truncated while it was read"
                                .formatted(channel.size(), position + into.limit()));
            }
        }
        return into.flip().order(ByteOrder.LITTLE_ENDIAN);
    }
}
