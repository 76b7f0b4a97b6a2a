// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.io.NumberInput;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteOrder;
import org.apache.flink.annotation.Internal;

/**
 * The number that was read last. Most have few digits; their values come from one division or
 * multiplication. All others are parsed by Jackson, from their text.
 */
@Internal
final class JsonNumber {

    /** More digits would take long to read: the time grows faster than their number. */
    private static final int MAX_DIGITS = StreamReadConstraints.DEFAULT_MAX_NUM_LEN;

    /** So many digits fit a long, whatever they are. */
    private static final int MAX_SHORT = 18;

    /** The number of digits of the largest long. */
    private static final int MAX_LONG = 19;

    /** The powers of ten that are doubles. */
    private static final double[] POWERS = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22
    };

    /** All smaller integers are doubles. */
    private static final long EXACT_DOUBLES = 1L << 53;

    /** All smaller integers are floats. */
    private static final long EXACT_FLOATS = 1 << 24;

    /** The bits of a double that a float does not have. */
    private static final long BELOW_FLOAT = (1L << 29) - 1;

    /** These bits if the double is halfway between two floats. */
    private static final long HALFWAY = 1L << 28;

    /** A longer exponent is taken for this one; both are out of the reach of {@link #POWERS}. */
    private static final int LONG_EXPONENT = 999_999_999;

    private static final int MAX_EXPONENT_DIGITS = 9;

    private static final VarHandle CHUNK =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private static final int[] SHORT_POWERS = {
        1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000
    };

    private final JsonCursor cursor;
    private int from;
    private int to;
    private int minus; // 1 if the number has one.
    private boolean isWhole;
    private int count; // Of the digits, without those of the exponent.
    private long digits; // Without the point, as an unsigned long; of up to MAX_LONG.
    private int exponent; // The value is digits * 10^exponent.

    JsonNumber(JsonCursor cursor) {
        this.cursor = cursor;
    }

    /** Reads the number at the cursor, which is not at the end. */
    void read() throws JsonFault {
        byte[] bytes = cursor.bytes();
        from = cursor.at();
        minus = bytes[from] == '-' ? 1 : 0;
        digits = 0;
        int begin = from + minus;
        int end = readDigits(bytes, begin);
        requireDigits(begin, end);
        if (end - begin > 1 && bytes[begin] == '0') {
            throw new JsonFault("a number begins with a needless 0", from);
        }
        count = end - begin;
        exponent = 0;
        isWhole = true;
        if (end < bytes.length && bytes[end] == '.') {
            begin = end + 1;
            end = readDigits(bytes, readEight(bytes, begin));
            requireDigits(begin, end);
            count += end - begin;
            exponent = begin - end;
            isWhole = false;
        }
        int all = count;
        if (end < bytes.length && (bytes[end] == 'e' || bytes[end] == 'E')) {
            begin = end + 1;
            if (begin < bytes.length && (bytes[begin] == '-' || bytes[begin] == '+')) {
                begin++;
            }
            end = readExponent(bytes, begin);
            all += end - begin;
            isWhole = false;
        }
        if (all > MAX_DIGITS) {
            throw new JsonFault(
                    "a number has %,d digits; allowed: up to %,d".formatted(all, MAX_DIGITS), from);
        }
        to = end;
        cursor.goTo(end);
    }

    private int readExponent(byte[] bytes, int begin) throws JsonFault {
        long significand = digits;
        digits = 0;
        int end = readDigits(bytes, begin);
        requireDigits(begin, end);
        int power = end - begin > MAX_EXPONENT_DIGITS ? LONG_EXPONENT : (int) digits;
        exponent += bytes[begin - 1] == '-' ? -power : power;
        digits = significand;
        return end;
    }

    /** Adds the digits from here to those that were read, and returns where they end. */
    private int readDigits(byte[] bytes, int from) {
        long value = digits;
        int at = from;
        while (at < bytes.length && bytes[at] >= '0' && bytes[at] <= '9') {
            value = 10 * value + bytes[at] - '0';
            at++;
        }
        digits = value;
        return at;
    }

    /** Adds up to eight digits at once, which pays for a fraction. Most have seven or more. */
    private int readEight(byte[] bytes, int from) {
        if (from + Long.BYTES > bytes.length) {
            return from;
        }
        long chunk = (long) CHUNK.get(bytes, from);
        int length = leadingDigits(chunk);
        digits = SHORT_POWERS[length] * digits + value(chunk, length);
        return from + length;
    }

    private void requireDigits(int begin, int end) throws JsonFault {
        if (begin == end) {
            cursor.goTo(end);
            throw cursor.wrong(
                    "a number",
                    cursor.isAtNoNumber() ? JsonFault.NO_NUMBER : "a number lacks a digit");
        }
    }

    /**
     * The number of digits before another byte. The highest bit of a byte is set if the byte is
     * more than a 9 or less than a 0; what that does to the bytes behind does not matter.
     */
    private static int leadingDigits(long chunk) {
        long others =
                (chunk + 0x4646_4646_4646_4646L | chunk - 0x3030_3030_3030_3030L)
                        & 0x8080_8080_8080_8080L;
        return Long.numberOfTrailingZeros(others) / Byte.SIZE;
    }

    /**
     * The value of the first digits of a chunk: first of pairs, then of all (D. Lemire, Number
     * Parsing at a Gigabyte per Second, 2021, section 4). Without digits, the result means nothing.
     */
    private static long value(long chunk, int count) {
        long ofDigits = chunk - 0x3030_3030_3030_3030L << Long.SIZE - Byte.SIZE * count;
        long pairs = 10 * ofDigits + (ofDigits >>> 8);
        long low = (pairs & 0xff_0000_00ffL) * (100 + (1_000_000L << 32));
        long high = (pairs >>> 16 & 0xff_0000_00ffL) * (1 + (10_000L << 32));
        return low + high >>> 32;
    }

    /** Whether it has no fraction and no exponent. */
    boolean isWhole() {
        return isWhole;
    }

    /** Whether a vector of floats takes it: all but integers that are no floats. */
    boolean isFloat() {
        return !isWhole || count <= MAX_SHORT && digits <= EXACT_FLOATS;
    }

    /** Whether it is an integer that {@link #longValue()} has. */
    boolean isLong() {
        return isWhole && (count <= MAX_SHORT || count == MAX_LONG && isLongOf19());
    }

    /** Whether 19 digits are a long; they are one without a sign, whatever they are. */
    private boolean isLongOf19() {
        return Long.compareUnsigned(digits, Long.MAX_VALUE + minus) <= 0;
    }

    long longValue() {
        return minus == 1 ? -digits : digits;
    }

    /** The float nearest to the text. */
    float floatValue() {
        if (isWhole && isFloat()) {
            return longValue();
        }
        if (isShort()) {
            // Rounded twice, so at most two units in the last place from the exact value. Both
            // are on the same side of each number halfway between two floats, unless this one is
            // as close to such a number.
            double value = scaled();
            long off = (Double.doubleToRawLongBits(value) & BELOW_FLOAT) - HALFWAY;
            if (Math.abs(off) > 2) {
                return (float) value;
            }
        }
        return NumberInput.parseFloat(text(), true);
    }

    /** The double nearest to the text. */
    double doubleValue() {
        return isShort() && digits <= EXACT_DOUBLES
                ? scaled()
                : NumberInput.parseDouble(text(), true);
    }

    private boolean isShort() {
        return count <= MAX_SHORT && Math.abs(exponent) < POWERS.length;
    }

    private double scaled() {
        double value = exponent < 0 ? digits / POWERS[-exponent] : digits * POWERS[exponent];
        // A branch on the sign costs more: it cannot be predicted.
        return Double.longBitsToDouble(
                Double.doubleToRawLongBits(value) | (long) minus << Long.SIZE - 1);
    }

    BigInteger bigInteger() {
        return NumberInput.parseBigInteger(text(), true);
    }

    /**
     * The exact value.
     *
     * @throws NumberFormatException if the exponent is out of range
     */
    BigDecimal decimal() {
        return NumberInput.parseBigDecimal(text(), true);
    }

    private String text() {
        return cursor.text(from, to);
    }
}
