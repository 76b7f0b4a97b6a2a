// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;

/**
 * Reads and writes an Avro {@code array<float>} in bulk. Avro encodes a float as 4 little-endian
 * bytes, so one copy moves a whole block of the array.
 */
final class VectorCodec {

    private byte[] scratch = new byte[0];
    private FloatBuffer floats;

    /**
     * Reads a whole array, from any number of blocks.
     *
     * @param limit the most bytes that the array can have; a false length then costs no memory
     */
    float[] read(BinaryDecoder in, int limit) throws IOException {
        int length = 0;
        for (long block = in.readArrayStart(); block != 0; block = in.arrayNext()) {
            if (block > (limit >> 2) - length) {
                throw new EOFException();
            }
            int start = length * Float.BYTES;
            length += (int) block;
            reserve(length);
            in.readFixed(scratch, start, length * Float.BYTES - start);
        }
        float[] values = new float[length];
        if (length > 0) {
            floats.get(0, values);
        }
        return values;
    }

    /** Writes an array as one block. */
    void write(float[] values, BinaryEncoder out) throws IOException {
        out.writeArrayStart();
        out.setItemCount(values.length);
        if (values.length > 0) {
            reserve(values.length);
            floats.put(0, values);
            out.writeFixed(scratch, 0, values.length * Float.BYTES);
        }
        out.writeArrayEnd();
    }

    private void reserve(int length) {
        int bytes = Math.multiplyExact(length, Float.BYTES);
        if (scratch.length < bytes) {
            // Doubles at least, because the blocks of an array arrive one at a time.
            scratch = Arrays.copyOf(scratch, Math.max(bytes, 2 * scratch.length));
            floats = ByteBuffer.wrap(scratch).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        }
    }
}
