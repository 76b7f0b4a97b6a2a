// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;

/** Writes a safetensors file of named tensors, in the order in which they are added. */
@PublicEvolving
public final class SafetensorsWriter {
    private static final int CHUNK = 1 << 14;

    private record Tensor(DType dtype, long[] shape, float[] floats, int[] ints) {
        int elements() {
            return floats == null ? ints.length : floats.length;
        }

        void copy(int at, int n, ByteBuffer into) {
            if (floats == null) {
                into.asIntBuffer().put(ints, at, n);
            } else {
                into.asFloatBuffer().put(floats, at, n);
            }
        }
    }

    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    /**
     * Adds a tensor of type F32. The data is not copied.
     *
     * @throws IllegalArgumentException if the name is already used, or the shape does not fit the
     *     data
     */
    public SafetensorsWriter add(String name, long[] shape, float[] data) {
        return add(name, new Tensor(DType.F32, shape.clone(), data, null));
    }

    /**
     * Adds a tensor of type I32. The data is not copied.
     *
     * @throws IllegalArgumentException if the name is already used, or the shape does not fit the
     *     data
     */
    public SafetensorsWriter add(String name, long[] shape, int[] data) {
        return add(name, new Tensor(DType.I32, shape.clone(), null, data));
    }

    private SafetensorsWriter add(String name, Tensor tensor) {
        long elements = 1;
        for (long dim : tensor.shape) {
            elements = Math.multiplyExact(elements, dim);
        }
        if (elements != tensor.elements()) {
            throw new IllegalArgumentException(
                    "tensor %s: shape %s has %d elements, but the data has %d"
                            .formatted(
                                    name,
                                    Arrays.toString(tensor.shape),
                                    elements,
                                    tensor.elements()));
        }
        if (name.equals("__metadata__") || tensors.putIfAbsent(name, tensor) != null) {
            throw new IllegalArgumentException(
                    "tensor %s: the name is already used; give each tensor another name"
                            .formatted(name));
        }
        return this;
    }

    /** Writes the file; an existing file is replaced. */
    public void writeTo(Path path) throws IOException {
        byte[] header = header();
        try (OutputStream out = Files.newOutputStream(path)) {
            out.write(littleEndian(8).putLong(header.length).array());
            out.write(header);
            ByteBuffer chunk = littleEndian(4 * CHUNK);
            for (Tensor tensor : tensors.values()) {
                for (int at = 0, n; at < tensor.elements(); at += n) {
                    n = Math.min(CHUNK, tensor.elements() - at);
                    tensor.copy(at, n, chunk);
                    out.write(chunk.array(), 0, 4 * n);
                }
            }
        }
    }

    /** The header, padded with spaces so that the data begins at a multiple of 8 bytes. */
    private byte[] header() throws IOException {
        Map<String, Object> entries = new LinkedHashMap<>();
        long end = 0;
        for (Map.Entry<String, Tensor> e : tensors.entrySet()) {
            Tensor tensor = e.getValue();
            long begin = end;
            end += 4L * tensor.elements();
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("dtype", tensor.dtype.name());
            entry.put("shape", tensor.shape);
            entry.put("data_offsets", new long[] {begin, end});
            entries.put(e.getKey(), entry);
        }
        byte[] json = new ObjectMapper().writeValueAsBytes(entries);
        byte[] padded = Arrays.copyOf(json, (json.length + 7) / 8 * 8);
        Arrays.fill(padded, json.length, padded.length, (byte) ' ');
        return padded;
    }

    private static ByteBuffer littleEndian(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
}
