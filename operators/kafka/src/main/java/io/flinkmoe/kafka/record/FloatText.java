// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.math.BigInteger;
import java.nio.ByteOrder;
import org.apache.flink.annotation.Internal;

/**
 * Writes a float as the shortest decimal that only it is nearest to, as {@link Float#toString} does
 * since Java 19, straight into bytes. A vector in JSON is little else than these.
 *
 * <p>This is Raffaello Giulietti's Schubfach (The Schubfach way to render doubles, 2021, sections 9
 * and 10), for the 24 bits of a float.
 */
@Internal
final class FloatText {

    /** The room that writing needs. A text has at most a byte less. */
    static final int MAX_BYTES = 16;

    private static final int FRACTION_BITS = 23;
    private static final int MIN_EXPONENT = -149;
    private static final int HIDDEN_BIT = 1 << FRACTION_BITS;
    private static final int EXPONENT_MASK = 0xff;

    /** Smaller subnormal floats are scaled by ten, so that they have two digits. */
    private static final int TINY = 8;

    /** Floats from 10^-3, which is 0.1 * 10^-2, to 10^7 are written without an exponent. */
    private static final int MIN_PLAIN = -2;

    private static final int MAX_PLAIN = 7;

    /** POWERS[i] has the 63 highest bits of 10^(i + FIRST_POWER), plus one, as in the paper. */
    private static final int FIRST_POWER = -31;

    private static final int LAST_POWER = 45;
    private static final int POWER_BITS = 63;
    private static final long[] POWERS = new long[LAST_POWER - FIRST_POWER + 1];

    private static final int[] TENS = {
        1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000
    };

    /** No shortest decimal of a float has more digits. */
    private static final int DIGITS = 9;

    /** The value of the first of nine digits. The texts of the others are the bytes of a long. */
    private static final int FIRST_DIGIT = TENS[DIGITS - 1];

    private static final long ZEROS = 0x3030_3030_3030_3030L;

    private static final VarHandle EIGHT_BYTES =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    static {
        for (int i = 0; i < POWERS.length; i++) {
            POWERS[i] = highestBits(i + FIRST_POWER);
        }
    }

    private FloatText() {}

    private static long highestBits(int power) {
        // With 512 more bits, the division leaves more than the 63 that count.
        BigInteger ten = BigInteger.TEN.pow(Math.abs(power));
        BigInteger scaled =
                power < 0 ? BigInteger.ONE.shiftLeft(512).divide(ten) : ten.shiftLeft(512);
        return scaled.shiftRight(scaled.bitLength() - POWER_BITS).longValueExact() + 1;
    }

    /**
     * Writes a finite float.
     *
     * @param to has {@link #MAX_BYTES} from {@code at}
     * @return the index after the text
     */
    static int write(float value, byte[] to, int at) {
        int bits = Float.floatToRawIntBits(value);
        int next = at;
        to[next] = '-';
        next += bits >>> Integer.SIZE - 1;
        int fraction = bits & HIDDEN_BIT - 1;
        int exponent = bits >>> FRACTION_BITS & EXPONENT_MASK;
        if (exponent == 0) {
            if (fraction == 0) {
                to[next] = '0';
                to[next + 1] = '.';
                to[next + 2] = '0';
                return next + 3;
            }
            return fraction < TINY
                    ? shortest(MIN_EXPONENT, 10 * fraction, -1, to, next)
                    : shortest(MIN_EXPONENT, fraction, 0, to, next);
        }
        int significand = HIDDEN_BIT | fraction;
        int q = MIN_EXPONENT - 1 + exponent;
        if (q < 0 && q >= -FRACTION_BITS) {
            int whole = significand >> -q;
            if (whole << -q == significand) {
                return decimal(whole, 0, to, next);
            }
        }
        return shortest(q, significand, 0, to, next);
    }

    /** Writes c * 2^q * 10^power. Variables have the paper's names. */
    private static int shortest(int q, int c, int power, byte[] to, int at) {
        int odd = c & 1;
        boolean isRegular = c != HIDDEN_BIT || q == MIN_EXPONENT;
        int k = isRegular ? floorLog10(q) : floorLog10ThreeQuarters(q);
        int h = q + floorLog2(-k) + 33;
        long g = POWERS[-k - FIRST_POWER];
        int vb = round(g, (4L * c) << h);
        int vbl = round(g, (4L * c - (isRegular ? 2 : 1)) << h) + odd;
        int vbr = round(g, (4L * c + 2) << h) - odd;
        int s = vb >> 2;
        int tenth = s / 10;
        int in = isAtMost(vbl, 40 * tenth);
        int nextIn = isAtMost(40 * tenth + 40, vbr);
        if (s >= 100 && in != nextIn) {
            return decimal(tenth + nextIn, k + power + 1, to, at);
        }
        in = isAtMost(vbl, 4 * s);
        nextIn = isAtMost(4 * s + 4, vbr);
        int side = vb - (4 * s + 2);
        boolean isLower = side < 0 || side == 0 && (s & 1) == 0;
        int nearest = in != nextIn ? nextIn : isLower ? 0 : 1;
        return decimal(s + nearest, k + power, to, at);
    }

    /** Returns 1 if it is, else 0, without a branch: the processor could not predict it. */
    private static int isAtMost(int number, int limit) {
        return number - limit - 1 >>> Integer.SIZE - 1;
    }

    /** The product's highest bits; the last one is set if lower ones are. */
    private static int round(long g, long cp) {
        long high = Math.multiplyHigh(g, cp);
        long low = high & 0x7fff_ffffL;
        return (int) (high >>> 31 | low + 0x7fff_ffffL >>> 31);
    }

    private static int floorLog10(int q) {
        return (int) (q * 661_971_961_083L >> 41);
    }

    private static int floorLog10ThreeQuarters(int q) {
        return (int) (q * 661_971_961_083L - 274_743_187_321L >> 41);
    }

    private static int floorLog2(int power) {
        return (int) (power * 913_124_641_741L >> 38);
    }

    /** Writes digits * 10^power; digits are not 0. */
    private static int decimal(int digits, int power, byte[] to, int at) {
        int shortest = digits;
        int exponent = power;
        while (shortest % 10 == 0) {
            shortest /= 10;
            exponent++;
        }
        int length = length(shortest);
        int point = length + exponent; // The value is 0.digits * 10^point.
        int nine = shortest * TENS[DIGITS - length];
        return point > MAX_PLAIN || point < MIN_PLAIN
                ? exponent(point - 1, to, withPoint(nine, length, 1, to, at))
                : withPoint(nine, length, point, to, at);
    }

    /**
     * Writes a point after some of nine digits, with at least one digit before and after it. There
     * is no branch, because the processor could not predict where the point is.
     *
     * @param length the number of digits that are not zeros at the end
     * @param point the number of digits before the point; if negative, zeros after it
     */
    private static int withPoint(int nine, int length, int point, byte[] to, int at) {
        int zeros = Math.max(0, 1 - point);
        int before = Math.max(1, point);
        long first = '0' + nine / FIRST_DIGIT;
        long others = lastEight(nine);
        long start = (first | others << Byte.SIZE) << Byte.SIZE * zeros | ZEROS & lowest(zeros);
        long head = start & lowest(before);
        long tail = start & ~lowest(before);
        EIGHT_BYTES.set(to, at + 2 + zeros, others);
        EIGHT_BYTES.set(to, at, head | (long) '.' << Byte.SIZE * before | tail << Byte.SIZE);
        return at + 1 + Math.max(zeros + length, before + 1);
    }

    private static long lowest(int bytes) {
        return (1L << Byte.SIZE * bytes) - 1;
    }

    private static int exponent(int exponent, byte[] to, int at) {
        int next = at;
        to[next++] = 'E';
        if (exponent < 0) {
            to[next++] = '-';
        }
        int digits = Math.abs(exponent);
        if (digits >= 10) {
            to[next++] = (byte) ('0' + digits / 10);
        }
        to[next++] = (byte) ('0' + digits % 10);
        return next;
    }

    /** The texts of the last eight digits, side by side. */
    private static long lastEight(int nine) {
        int eight = nine % FIRST_DIGIT;
        // Two numbers with four digits each, then four with two, and eight with one.
        long fours = eight / 10_000 | (long) (eight % 10_000) << 32;
        long hundreds = (fours * 10_486 >>> 20) & 0x7f_0000_007fL;
        long twos = hundreds | fours - 100 * hundreds << 16;
        long tens = (twos * 103 >>> 10) & 0xf_000f_000f_000fL;
        long ones = tens | twos - 10 * tens << 8;
        return ones | ZEROS;
    }

    private static int length(int digits) {
        // 1233 / 2^12 is close to the logarithm of 2.
        int least = (Integer.SIZE - Integer.numberOfLeadingZeros(digits)) * 1233 >> 12;
        return least + 1 - (digits - TENS[least] >>> Integer.SIZE - 1);
    }
}
