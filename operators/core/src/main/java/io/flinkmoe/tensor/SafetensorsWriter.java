// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Array;
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

    /**
     * @param data a float[], int[], long[], double[] or boolean[]
     */
    private record Tensor(DType dtype, long[] shape, Object data) {
        int elements() {
            return Array.getLength(data);
        }

        void copy(int at, int n, ByteBuffer into) {
            switch (dtype) {
                case F32 -> into.asFloatBuffer().put((float[]) data, at, n);
                case I32 -> into.asIntBuffer().put((int[]) data, at, n);
                case I64 -> into.asLongBuffer().put((long[]) data, at, n);
                case F64 -> into.asDoubleBuffer().put((double[]) data, at, n);
                default -> {
                    for (int i = 0; i < n; i++) {
                        into.put(i, (byte) (((boolean[]) data)[at + i] ? 1 : 0));
                    }
                }
            }
        }
    }

    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    /**
     * Adds a tensor of the type of an array. The data is not copied.
     *
     * @param data a float[], int[], long[], double[] or boolean[]
     * @throws IllegalArgumentException if the name is already used, the shape does not fit the
     *     data, or the data is anything else
     */
    public SafetensorsWriter add(String name, long[] shape, Object data) {
        DType dtype;
        if (data instanceof float[]) {
            dtype = DType.F32;
        } else if (data instanceof int[]) {
            dtype = DType.I32;
        } else if (data instanceof long[]) {
            dtype = DType.I64;
        } else if (data instanceof double[]) {
            dtype = DType.F64;
        } else if (data instanceof boolean[]) {
            dtype = DType.BOOL;
        } else {
            throw new IllegalArgumentException(
                    "tensor %s: the data is a %s; allowed: arrays of float, int, long, double and boolean"
                            .formatted(name, data.getClass().getSimpleName()));
        }
        return add(name, new Tensor(dtype, shape.clone(), data));
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
            ByteBuffer chunk = littleEndian(8 * CHUNK);
            for (Tensor tensor : tensors.values()) {
                for (int at = 0, n; at < tensor.elements(); at += n) {
                    n = Math.min(CHUNK, tensor.elements() - at);
                    tensor.copy(at, n, chunk);
                    out.write(chunk.array(), 0, tensor.dtype.bytes() * n);
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
            end += (long) tensor.dtype.bytes() * tensor.elements();
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
