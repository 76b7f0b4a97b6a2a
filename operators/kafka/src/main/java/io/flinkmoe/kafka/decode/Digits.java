// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.apache.flink.annotation.Internal;

/** Makes numbers of decimal digits, up to eight at once. */
@Internal
final class Digits {

    /** So many digits fit a long, whatever they are. */
    static final int MAX_SHORT = 18;

    /** The largest number of digits behind, or in front of, the point of a {@link #scaled} one. */
    static final int MAX_EXPONENT = 22;

    /** The powers of ten that are doubles. */
    private static final double[] POWERS = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22
    };

    private static final int[] SHORT_POWERS = {
        1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000
    };

    /** The bits of a double that a float does not have. */
    private static final long BELOW_FLOAT = (1L << 29) - 1;

    /** These bits if the double is halfway between two floats. */
    private static final long HALFWAY = 1L << 28;

    private static final VarHandle CHUNK =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private Digits() {}

    static boolean isDigit(byte character) {
        return character >= '0' && character <= '9';
    }

    /** The next eight bytes. */
    static long chunk(byte[] bytes, int at) {
        return (long) CHUNK.get(bytes, at);
    }

    /**
     * The number of digits in front of another byte. The highest bit of a byte is set if the byte
     * is more than a 9 or less than a 0; what that does to the bytes behind does not matter.
     */
    static int leading(long chunk) {
        long others =
                (chunk + 0x4646_4646_4646_4646L | chunk - 0x3030_3030_3030_3030L)
                        & 0x8080_8080_8080_8080L;
        return Long.numberOfTrailingZeros(others) / Byte.SIZE;
    }

    /**
     * Adds the first digits of a chunk to those that were read.
     *
     * @param count how many; at least one
     */
    static long append(long digits, long chunk, int count) {
        return SHORT_POWERS[count] * digits + value(chunk, count);
    }

    /**
     * The value of the first digits of a chunk: first of pairs, then of all (D. Lemire, Number
     * Parsing at a Gigabyte per Second, 2021, section 4).
     */
    private static long value(long chunk, int count) {
        long ofDigits = chunk - 0x3030_3030_3030_3030L << Long.SIZE - Byte.SIZE * count;
        long pairs = 10 * ofDigits + (ofDigits >>> 8);
        long low = (pairs & 0xff_0000_00ffL) * (100 + (1_000_000L << 32));
        long high = (pairs >>> 16 & 0xff_0000_00ffL) * (1 + (10_000L << 32));
        return low + high >>> 32;
    }

    /**
     * Returns digits * 10^exponent, rounded twice.
     *
     * @param minus 1 if the number is negative, else 0
     */
    static double scaled(long digits, int exponent, int minus) {
        double value = exponent < 0 ? digits / POWERS[-exponent] : digits * POWERS[exponent];
        // A branch on the sign costs more: it cannot be predicted.
        return Double.longBitsToDouble(
                Double.doubleToRawLongBits(value) | (long) minus << Long.SIZE - 1);
    }

    /**
     * Whether the float nearest to a scaled number is the one nearest to the exact number. The
     * scaled one is at most two units in the last place from the exact one. Both are on the same
     * side of each number halfway between two floats, unless one is as close to such a number.
     */
    static boolean isFloatExact(double scaled) {
        long off = (Double.doubleToRawLongBits(scaled) & BELOW_FLOAT) - HALFWAY;
        return Math.abs(off) > 2;
    }
}
