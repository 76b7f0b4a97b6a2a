// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import org.apache.flink.annotation.Internal;

/**
 * Reads the usual elements of an array of numbers: decimals with a point and without an exponent,
 * such as {@code -12.345}, and a comma behind each. They take two thirds of the time that {@link
 * JsonNumber} needs, which reads all others, and finds what is wrong.
 */
@Internal
final class JsonFloats {

    private static final int MAX_WHOLE_DIGITS = 8;

    /** More bytes than such a decimal has, with what is around it. */
    private static final int MAX_BYTES = 32;

    private final JsonCursor cursor;

    JsonFloats(JsonCursor cursor) {
        this.cursor = cursor;
    }

    /**
     * Reads elements until one is not usual, or the last one. The cursor is at the next element
     * then, or at what should be one.
     *
     * @param to where the elements go
     * @param count how many are there already
     * @return how many are there now
     */
    int read(float[] to, int count) {
        byte[] bytes = cursor.bytes();
        int limit = bytes.length - MAX_BYTES;
        int from = cursor.at();
        int next = count;
        while (next < to.length && from < limit) {
            int minus = bytes[from] == '-' ? 1 : 0;
            int begin = from + minus;
            int at = begin;
            long digits = 0;
            while (Digits.isDigit(bytes[at]) && at - begin < MAX_WHOLE_DIGITS) {
                digits = 10 * digits + bytes[at++] - '0';
            }
            if (bytes[at] != '.' || at == begin || bytes[begin] == '0' && at - begin > 1) {
                break;
            }
            int fraction = ++at;
            long chunk = Digits.chunk(bytes, at);
            int length = Digits.leading(chunk);
            if (length == 0) {
                break;
            }
            digits = Digits.append(digits, chunk, length);
            at += length;
            while (Digits.isDigit(bytes[at]) && at - begin <= Digits.MAX_SHORT) {
                digits = 10 * digits + bytes[at++] - '0';
            }
            double value = Digits.scaled(digits, fraction - at, minus);
            if (bytes[at] != ',' || !Digits.isFloatExact(value)) {
                break;
            }
            to[next++] = (float) value;
            from = bytes[at + 1] == ' ' ? at + 2 : at + 1;
        }
        cursor.goTo(from);
        cursor.skipSpace();
        return next;
    }
}
