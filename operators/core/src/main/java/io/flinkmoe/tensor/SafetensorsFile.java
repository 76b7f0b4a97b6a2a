// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.PublicEvolving;

/** An open safetensors file; reads the header and requested tensors only. Thread-safe. */
@PublicEvolving
public final class SafetensorsFile implements AutoCloseable {
    private static final int MAX_HEADER_BYTES = 100_000_000;

    private final ChannelReader file;
    private final SafetensorsHeader.Contents contents;
    private final Set<String> names;

    private SafetensorsFile(ChannelReader file, SafetensorsHeader.Contents contents) {
        this.file = file;
        this.contents = contents;
        Set<String> all = new LinkedHashSet<>(contents.tensors().keySet());
        all.addAll(contents.unknownTypes().keySet());
        this.names = Collections.unmodifiableSet(all);
    }

    /**
     * Opens a file and reads its header.
     *
     * @throws SafetensorsException if the file does not exist, is of another kind, or its header is
     *     damaged
     */
    public static SafetensorsFile open(Path path) throws IOException {
        if (Files.isSymbolicLink(path) && !Files.exists(path)) {
            throw new SafetensorsException(
                    path,
                    "it links to %s, which does not exist; complete the download"
                            .formatted(Files.readSymbolicLink(path)));
        }
        if (!Files.isRegularFile(path)) {
            throw new SafetensorsException(
                    path,
                    Files.isDirectory(path)
                            ? "it is a folder; expected a file"
                            : "there is no such file");
        }
        FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
        try {
            ChannelReader file = new ChannelReader(path, channel);
            return new SafetensorsFile(file, readHeader(file));
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private static SafetensorsHeader.Contents readHeader(ChannelReader file) throws IOException {
        long fileSize = file.channel().size();
        if (fileSize < 8) {
            throw new SafetensorsException(
                    file.path(),
                    ForeignFile.kindOf(file.path())
                            .orElse(
                                    "the file has %d bytes; expected at least 8, the length of the header; download the file again"
                                            .formatted(fileSize)));
        }
        long length = file.readFully(0, ByteBuffer.allocate(8)).getLong(0);
        long limit = Math.min(MAX_HEADER_BYTES, fileSize - 8);
        if (length < 0 || length > limit) {
            throw new SafetensorsException(
                    file.path(),
                    ForeignFile.kindOfBinary(file.path())
                            .orElse(
                                    "the length of the header is %s bytes; allowed: up to %d in this file, up to %d in any file"
                                            .formatted(
                                                    Long.toUnsignedString(length),
                                                    limit,
                                                    MAX_HEADER_BYTES)));
        }
        byte[] json = file.readFully(8, ByteBuffer.allocate(Math.toIntExact(length))).array();
        return new SafetensorsHeader(file.path(), 8 + length, fileSize - 8 - length).parse(json);
    }

    /**
     * The tensors by name, in the order of their data in the file. Tensors of a type that {@link
     * DType} does not have are not among them.
     */
    public Map<String, TensorInfo> tensors() {
        return contents.tensors();
    }

    /** The names of all tensors, also of those whose type {@link DType} does not have. */
    public Set<String> names() {
        return names;
    }

    public boolean contains(String name) {
        return tensors().containsKey(name);
    }

    /**
     * The type of a tensor as the file names it.
     *
     * @throws SafetensorsException if there is no such tensor
     */
    public String typeName(String name) throws SafetensorsException {
        String unknown = contents.unknownTypes().get(name);
        return unknown != null ? unknown : info(name).dtype().name();
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
     * A matrix inside a tensor of type F64, F32, F16 or BF16 as floats. The file is read when the
     * floats are asked for, and must still be open then.
     *
     * @throws SafetensorsException if there is no such tensor, or it has another type
     * @throws IllegalArgumentException if the slice is not inside the tensor
     */
    public FloatBlocks blocks(String name, MatrixSlice slice, FloatCheck check)
            throws SafetensorsException {
        TensorInfo tensor = info(name);
        if (slice.end() > tensor.elements()) {
            throw new IllegalArgumentException(
                    "%s: %s is not inside tensor %s, which has %d elements"
                            .formatted(file.path(), slice, name, tensor.elements()));
        }
        return new SlicedFloats(file, tensor, slice, check);
    }

    /**
     * A reader of runs of neighbouring floats of a tensor. The file must be open while it is used.
     *
     * @throws SafetensorsException if there is no such tensor, or it has another type
     */
    public FloatRuns runs(String name, FloatCheck check) throws SafetensorsException {
        return new FloatRuns(file, info(name), check);
    }

    /**
     * Reads bytes of a tensor as they are stored.
     *
     * @param from the first of the bytes, counted from the start of the tensor
     * @param into is filled
     */
    public void readBytes(String name, long from, ByteBuffer into) throws IOException {
        TensorInfo tensor = info(name);
        if (from < 0 || from + into.remaining() > tensor.byteSize()) {
            throw new IllegalArgumentException(
                    "%s: bytes %d to %d are not inside tensor %s, which has %d bytes"
                            .formatted(
                                    file.path(),
                                    from,
                                    from + into.remaining(),
                                    name,
                                    tensor.byteSize()));
        }
        file.readFully(tensor.position() + from, into);
    }

    private float[] floats(TensorInfo tensor, FloatCheck check) throws IOException {
        float[] out = new float[arrayLength(tensor)];
        new FloatRuns(file, tensor, check).read(0, out, 0, out.length);
        return out;
    }

    /**
     * A tensor of type I64, I32, I16, I8 or U8 as ints, row-major.
     *
     * @throws SafetensorsException if there is no such tensor, it has another type, or a value does
     *     not fit an int
     */
    public int[] ints(String name) throws IOException {
        TensorInfo tensor = info(name);
        arrayLength(tensor);
        return new TensorArrays(file, tensor).ints();
    }

    /**
     * A tensor in the array of its type, row-major: float[] for F32, F16 and BF16, double[] for
     * F64, long[] for integers, boolean[] for BOOL.
     *
     * @throws SafetensorsException if there is no such tensor, or it has another type
     */
    public Object array(String name) throws IOException {
        TensorInfo tensor = info(name);
        arrayLength(tensor);
        return switch (tensor.dtype()) {
            case F32, F16, BF16 -> floats(tensor, FloatCheck.ANY);
            default -> new TensorArrays(file, tensor).array();
        };
    }

    @Override
    public void close() throws IOException {
        file.channel().close();
    }

    private TensorInfo info(String name) throws SafetensorsException {
        TensorInfo tensor = tensors().get(name);
        if (contents.unknownTypes().containsKey(name)) {
            throw new SafetensorsException(
                    file.path(),
                    name,
                    "dtype is %s; expected one of %s"
                            .formatted(
                                    contents.unknownTypes().get(name),
                                    Arrays.toString(DType.values())));
        }
        if (tensor == null) {
            throw new SafetensorsException(
                    file.path(),
                    name,
                    "there is no such tensor; the file has %d tensors, the first of which are %s"
                            .formatted(
                                    tensors().size(),
                                    tensors().keySet().stream().limit(8).toList()));
        }
        return tensor;
    }

    private int arrayLength(TensorInfo tensor) throws SafetensorsException {
        if (tensor.elements() > Integer.MAX_VALUE - 8) {
            throw new SafetensorsException(
                    file.path(),
                    tensor.name(),
                    "it has %d elements; allowed: up to %d, the limit of a Java array"
                            .formatted(tensor.elements(), Integer.MAX_VALUE - 8));
        }
        return (int) tensor.elements();
    }
}
