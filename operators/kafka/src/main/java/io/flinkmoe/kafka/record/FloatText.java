// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.fasterxml.jackson.core.io.NumberOutput;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.apache.flink.annotation.Internal;

/**
 * Writes a float as the shortest decimal that only it is nearest to, as {@link Float#toString} does
 * since Java 19, straight into bytes. A vector in JSON is little else than these.
 *
 * <p>For floats of middle size, a long has all that Raffaello Giulietti's Schubfach needs (The
 * Schubfach way to render doubles, 2021, section 8), without an error. Jackson writes the others.
 */
@Internal
final class FloatText {

    /** The room that writing needs. A text has at most a byte less. */
    static final int MAX_BYTES = 16;

    private static final int FRACTION_BITS = 23;
    private static final int HIDDEN_BIT = 1 << FRACTION_BITS;
    private static final int EXPONENT_MASK = 0xff;

    /** What to subtract from the bits of an exponent to get that of the last bit of a float. */
    private static final int EXPONENT_BIAS = 150;

    /** From 2^-9, which is more than 10^-3, to 2^23, which is less than 10^7. */
    private static final int LEAST_EXPONENT = EXPONENT_BIAS - FRACTION_BITS - 9;

    private static final int EXPONENTS = FRACTION_BITS + 9;

    /** The largest powers of ten up to a unit in the last place, by exponent. */
    private static final int[] POWERS = new int[EXPONENTS];

    /** One divided by these. */
    private static final long[] INVERSES = new long[EXPONENTS];

    private static final int[] TENS = {1, 10, 100};

    /**
     * No shortest decimal of a float has more digits; those of middle size have two less, or so.
     */
    private static final int DIGITS = 9;

    /** The value of the first of nine digits. The texts of the others are the bytes of a long. */
    private static final int FIRST_DIGIT = 100_000_000;

    private static final long ZEROS = 0x3030_3030_3030_3030L;

    private static final VarHandle EIGHT_BYTES =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    static {
        for (int i = 0; i < EXPONENTS; i++) {
            double unit = Math.scalb(1.0, LEAST_EXPONENT + i - EXPONENT_BIAS);
            INVERSES[i] = 1;
            while (INVERSES[i] * unit < 1) {
                INVERSES[i] *= 10;
                POWERS[i]--;
            }
        }
    }

    private FloatText() {}

    /**
     * Writes a finite float.
     *
     * @param to has {@link #MAX_BYTES} from {@code at}
     * @return the index after the text
     */
    static int write(float value, byte[] to, int at) {
        int bits = Float.floatToRawIntBits(value);
        int fraction = bits & HIDDEN_BIT - 1;
        int size = (bits >>> FRACTION_BITS & EXPONENT_MASK) - LEAST_EXPONENT;
        // Below a power of two, floats are closer together than above it.
        if (size < 0 || size >= EXPONENTS || fraction == 0) {
            return writeRare(value, to, at);
        }
        to[at] = '-';
        int begin = at + (bits >>> Integer.SIZE - 1);
        return decimal(shortest(HIDDEN_BIT | fraction, size), POWERS[size], to, begin);
    }

    private static int writeRare(float value, byte[] to, int at) {
        byte[] text = NumberOutput.toString(value, true).getBytes(US_ASCII);
        System.arraycopy(text, 0, to, at, text.length);
        return at + text.length;
    }

    /**
     * Returns the digits of the shortest decimal, maybe with zeros at the end; their unit is {@code
     * 10^POWERS[size]}. There is no branch, because the processor could not predict it.
     */
    private static int shortest(int significand, int size) {
        // All that follows counts 2^-shift of the digits' unit.
        int shift = 1 - (LEAST_EXPONENT + size - EXPONENT_BIAS);
        long half = INVERSES[size]; // Of the distance to the next float.
        long value = 2 * half * significand;
        int down = (int) (value >> shift);
        // The multiple of ten is shorter. No other one can be as close.
        int ten = (down + 5) / 10 * 10;
        long distance = Math.abs(value - ((long) ten << shift));
        // Halfway between two floats, a decimal is read as the even one.
        long isClose = distance - half + (significand & 1) - 1 >> Long.SIZE - 1;
        int nearest = (int) (value + (1L << shift - 1) - 1 + (down & 1) >> shift);
        return nearest ^ (nearest ^ ten) & (int) isClose;
    }

    /** Writes digits * 10^power. There are seven to nine digits. */
    private static int decimal(int digits, int power, byte[] to, int at) {
        int missing = isLess(digits, FIRST_DIGIT) + isLess(digits, FIRST_DIGIT / 10);
        return withPoint(digits * TENS[missing], DIGITS - missing + power, to, at);
    }

    /** Returns 1 if it is, else 0. */
    private static int isLess(int number, int limit) {
        return number - limit >>> Integer.SIZE - 1;
    }

    /**
     * Writes a point after some of nine digits, with at least one digit before and after it, and no
     * needless zeros at the end. There is no branch here, either.
     *
     * @param point the number of digits before the point; if negative, zeros after it
     */
    private static int withPoint(int nine, int point, byte[] to, int at) {
        int zeros = Math.max(0, 1 - point);
        int before = Math.max(1, point);
        int first = nine / FIRST_DIGIT;
        long eight = lastEight(nine - first * FIRST_DIGIT);
        long others = eight | ZEROS;
        long start = ('0' + first | others << Byte.SIZE) << Byte.SIZE * zeros;
        start |= ZEROS & lowest(zeros);
        long head = start & lowest(before);
        long tail = start & ~lowest(before);
        EIGHT_BYTES.set(to, at + 2 + zeros, others);
        EIGHT_BYTES.set(to, at, head | (long) '.' << Byte.SIZE * before | tail << Byte.SIZE);
        int length = DIGITS - Long.numberOfLeadingZeros(eight) / Byte.SIZE;
        return at + 1 + Math.max(zeros + length, before + 1);
    }

    private static long lowest(int bytes) {
        return (1L << Byte.SIZE * bytes) - 1;
    }

    /** Eight digits side by side: the first one is the lowest byte. */
    private static long lastEight(int eight) {
        // Two numbers with four digits each, then four with two, and eight with one.
        long fours = eight / 10_000 | (long) (eight % 10_000) << 32;
        long hundreds = (fours * 10_486 >>> 20) & 0x7f_0000_007fL;
        long twos = hundreds | fours - 100 * hundreds << 16;
        long tens = (twos * 103 >>> 10) & 0xf_000f_000f_000fL;
        return tens | twos - 10 * tens << 8;
    }
}
