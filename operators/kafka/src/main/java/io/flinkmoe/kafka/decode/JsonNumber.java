// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.io.NumberInput;
import java.math.BigDecimal;
import java.math.BigInteger;
import org.apache.flink.annotation.Internal;

/**
 * The number that was read last. Most have few digits; their values come from one division or
 * multiplication. All others are parsed by Jackson, from their text.
 */
@Internal
final class JsonNumber {

    /** More digits would take long to read: the time grows faster than their number. */
    private static final int MAX_DIGITS = StreamReadConstraints.DEFAULT_MAX_NUM_LEN;

    /** The number of digits of the largest long. */
    private static final int MAX_LONG = 19;

    /** All smaller integers are doubles. */
    private static final long EXACT_DOUBLES = 1L << 53;

    /** All smaller integers are floats. */
    private static final long EXACT_FLOATS = 1 << 24;

    /** A longer exponent is taken for this one; both are out of reach. */
    private static final int LONG_EXPONENT = 999_999_999;

    private static final int MAX_EXPONENT_DIGITS = 9;

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
        while (at < bytes.length && Digits.isDigit(bytes[at])) {
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
        long chunk = Digits.chunk(bytes, from);
        int length = Digits.leading(chunk);
        if (length > 0) {
            digits = Digits.append(digits, chunk, length);
        }
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

    /** Whether it has no fraction and no exponent. */
    boolean isWhole() {
        return isWhole;
    }

    /** The float that stands for it; not finite if it is too large, or an integer that is none. */
    float floatOrNotFinite() {
        return isWhole && !isExactFloat() ? Float.NaN : floatValue();
    }

    private boolean isExactFloat() {
        return count <= Digits.MAX_SHORT && digits <= EXACT_FLOATS;
    }

    /** Whether it is an integer that {@link #longValue()} has. */
    boolean isLong() {
        return isWhole && (count <= Digits.MAX_SHORT || count == MAX_LONG && isLongOf19());
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
        if (isWhole && isExactFloat()) {
            return longValue();
        }
        if (isShort()) {
            double value = scaled();
            if (Digits.isFloatExact(value)) {
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
        return count <= Digits.MAX_SHORT && Math.abs(exponent) <= Digits.MAX_EXPONENT;
    }

    private double scaled() {
        return Digits.scaled(digits, exponent, minus);
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
