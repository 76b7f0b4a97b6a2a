// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.apache.flink.annotation.Internal;

/** Byte sequences that readers often handle wrongly. */
@Internal
final class FuzzBytes {

    /** Values that are often invalid for lengths, sizes and counts. */
    static final long[] NUMBERS = {
        0,
        1,
        2,
        4,
        -1,
        127,
        128,
        255,
        256,
        32_767,
        65_536,
        Integer.MAX_VALUE,
        Integer.MIN_VALUE,
        1L << 32,
        1L << 60,
        Long.MAX_VALUE,
        Long.MIN_VALUE
    };

    private FuzzBytes() {}

    static byte[] randomBytes(SplittableRandom random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    static byte[] varint(long value) {
        ByteBuffer out = ByteBuffer.allocate(10);
        long rest = value;
        for (; (rest & ~0x7FL) != 0; rest >>>= 7) {
            out.put((byte) (rest & 0x7F | 0x80));
        }
        out.put((byte) rest);
        return Arrays.copyOf(out.array(), out.position());
    }
}
