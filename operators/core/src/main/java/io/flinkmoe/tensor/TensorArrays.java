// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.flink.annotation.Internal;

/** Reads a tensor of integers, doubles or bools, which fits a Java array. */
@Internal
record TensorArrays(ChannelReader file, TensorInfo tensor) {

    private static final int CHUNK_BYTES = 1 << 16;

    /** A tensor of type I64, I32, I16, I8 or U8 as ints. */
    int[] ints() throws IOException {
        switch (tensor.dtype()) {
            case I64, I32, I16, I8, U8 -> {}
            default -> throw wrongType("expected one of I64, I32, I16, I8, U8 to read ints");
        }
        int[] out = new int[length()];
        forEachChunk(
                (bytes, at, n) -> {
                    for (int i = 0; i < n; i++) {
                        out[at + i] = toInt(integer(bytes, i), at + i);
                    }
                });
        return out;
    }

    /** A tensor as double[] for F64, long[] for integers, boolean[] for BOOL. */
    Object array() throws IOException {
        return switch (tensor.dtype()) {
            case F64 -> {
                double[] out = new double[length()];
                forEachChunk((bytes, at, n) -> bytes.asDoubleBuffer().get(out, at, n));
                yield out;
            }
            case BOOL -> {
                boolean[] out = new boolean[length()];
                forEachChunk(
                        (bytes, at, n) -> {
                            for (int i = 0; i < n; i++) {
                                out[at + i] = bytes.get(i) != 0;
                            }
                        });
                yield out;
            }
            case I64, I32, I16, I8, U32, U16, U8 -> {
                long[] out = new long[length()];
                forEachChunk(
                        (bytes, at, n) -> {
                            for (int i = 0; i < n; i++) {
                                out[at + i] = integer(bytes, i);
                            }
                        });
                yield out;
            }
            default -> throw wrongType("expected a float, a double, an integer or BOOL");
        };
    }

    private long integer(ByteBuffer bytes, int i) {
        return switch (tensor.dtype()) {
            case I64 -> bytes.getLong(8 * i);
            case I32 -> bytes.getInt(4 * i);
            case U32 -> Integer.toUnsignedLong(bytes.getInt(4 * i));
            case I16 -> bytes.getShort(2 * i);
            case U16 -> bytes.getShort(2 * i) & 0xffff;
            case I8 -> bytes.get(i);
            default -> bytes.get(i) & 0xff;
        };
    }

    private int length() {
        return (int) tensor.elements();
    }

    private int toInt(long value, int index) throws SafetensorsException {
        if (value != (int) value) {
            throw new SafetensorsException(
                    file.path(),
                    tensor.name(),
                    "element %d is %d; allowed: %d to %d"
                            .formatted(index, value, Integer.MIN_VALUE, Integer.MAX_VALUE));
        }
        return (int) value;
    }

    private SafetensorsException wrongType(String allowed) {
        return new SafetensorsException(
                file.path(), tensor.name(), "dtype is %s; %s".formatted(tensor.dtype(), allowed));
    }

    private interface ChunkReader {
        /**
         * Reads the {@code n} elements in {@code bytes}, the first of which is element {@code at}.
         */
        void read(ByteBuffer bytes, int at, int n) throws SafetensorsException;
    }

    private void forEachChunk(ChunkReader reader) throws IOException {
        int size = tensor.dtype().bytes();
        int perChunk = Math.min(length(), CHUNK_BYTES / size);
        ByteBuffer chunk = ByteBuffer.allocateDirect(perChunk * size);
        for (int at = 0, n; at < length(); at += n) {
            n = Math.min(perChunk, length() - at);
            chunk.clear().limit(n * size);
            file.readFully(tensor.position() + (long) at * size, chunk);
            reader.read(chunk, at, n);
        }
    }
}
