// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.packed;

import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.flink.annotation.Internal;

/**
 * Rows of values of 4 or 8 bits each, without their scales. The lower half of a byte comes before
 * the upper one; words of several bytes are little endian, so the same holds for them.
 */
@Internal
final class BitRows implements RowReader {

    private final SafetensorsFile file;
    private final String tensor;
    private final long rowBytes;
    private final int bits;
    private final float[] values;
    private ByteBuffer bytes = ByteBuffer.allocate(0);

    /**
     * @param rowBytes the bytes of a row
     * @param bits 4 or 8
     * @param values the value of each pattern of bits
     */
    BitRows(SafetensorsFile file, String tensor, long rowBytes, int bits, float[] values) {
        this.file = file;
        this.tensor = tensor;
        this.rowBytes = rowBytes;
        this.bits = bits;
        this.values = values;
    }

    @Override
    public void read(long row, int from, int count, float[] into, int at) throws IOException {
        int perByte = 8 / bits;
        int first = from / perByte;
        int end = (from + count + perByte - 1) / perByte;
        if (bytes.capacity() < end - first) {
            bytes = ByteBuffer.allocate(end - first);
        }
        bytes.clear().limit(end - first);
        file.readBytes(tensor, row * rowBytes + first, bytes);
        for (int i = 0; i < count; i++) {
            int column = from + i;
            int eight = bytes.get(column / perByte - first) & 0xff;
            int pattern = bits == 8 ? eight : eight >> 4 * (column & 1) & 15;
            into[at + i] = values[pattern];
        }
    }
}
