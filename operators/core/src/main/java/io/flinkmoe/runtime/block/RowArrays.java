// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Arrays with some objects of each token of a block, or with none at all. */
@Internal
final class RowArrays {

    /** No array of bytes for any token. */
    static final byte[][] NONE = {};

    private RowArrays() {}

    /**
     * Returns the objects of some tokens.
     *
     * @param all [count, n], for any n
     * @param rows the tokens to select
     */
    static <T> T[] select(T[] all, int count, int[] rows) {
        if (all.length == 0) {
            return all;
        }
        int n = all.length / count;
        T[] selected = Arrays.copyOf(all, rows.length * n);
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(all, rows[i] * n, selected, i * n, n);
        }
        return selected;
    }

    /** Writes arrays of bytes, which may be null. */
    static void write(byte[][] arrays, DataOutputView out) throws IOException {
        out.writeInt(arrays.length);
        for (byte[] bytes : arrays) {
            Wire.writeBytes(bytes, out);
        }
    }

    static byte[][] read(DataInputView in) throws IOException {
        int length = in.readInt();
        byte[][] arrays = length == 0 ? NONE : new byte[length][];
        for (int i = 0; i < length; i++) {
            arrays[i] = Wire.readBytes(in);
        }
        return arrays;
    }
}
