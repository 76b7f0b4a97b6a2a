// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/** A place in the bytes of a JSON record. */
@Internal
final class JsonCursor {

    /** What is next after the last byte. */
    static final int END = -1;

    private byte[] bytes = new byte[0];
    private int at;

    /**
     * Goes to the first byte of a record that is no white space.
     *
     * @param record UTF-8, which may begin with a byte order mark
     */
    void begin(byte[] record) {
        bytes = record;
        boolean hasMark =
                record.length > 2
                        && record[0] == (byte) 0xef
                        && record[1] == (byte) 0xbb
                        && record[2] == (byte) 0xbf;
        at = hasMark ? 3 : 0;
        skipSpace();
    }

    /** The record. */
    byte[] bytes() {
        return bytes;
    }

    /** The number of the next byte. */
    int at() {
        return at;
    }

    void goTo(int byteNumber) {
        at = byteNumber;
    }

    /** The next byte, without a sign, or {@link #END}. */
    int next() {
        return at < bytes.length ? bytes[at] & 0xff : END;
    }

    void skip() {
        at++;
    }

    /** Skips the next byte if it is this character. */
    boolean skip(char character) {
        boolean is = next() == character;
        at += is ? 1 : 0;
        return is;
    }

    void skipSpace() {
        while (at < bytes.length && bytes[at] <= ' ' && isSpace(bytes[at])) {
            at++;
        }
    }

    /** Skips white space, and this character with more white space if it is next. */
    boolean skipSpaceAnd(char character) {
        if (next() != character) { // There rarely is space in front of it.
            skipSpace();
        }
        boolean is = skip(character);
        if (is) {
            skipSpace();
        }
        return is;
    }

    static boolean isSpace(byte character) {
        return character == ' ' || character == '\t' || character == '\n' || character == '\r';
    }

    /** Skips a word if it is next. */
    boolean skip(String word) {
        boolean is = isAt(word);
        at += is ? word.length() : 0;
        return is;
    }

    private boolean isAt(String word) {
        for (int i = 0; i < word.length(); i++) {
            if (at + i >= bytes.length || bytes[at + i] != word.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    /** Whether these bytes are at a place. */
    boolean has(byte[] expected, int from, int to) {
        return Arrays.equals(bytes, from, to, expected, 0, expected.length);
    }

    /** Whether a word is next that other writers of JSON use for a number. */
    boolean isAtNoNumber() {
        return isAt("NaN") || isAt("Infinity");
    }

    String text(int from, int to) {
        return new String(bytes, from, to - from, StandardCharsets.UTF_8);
    }

    /**
     * Returns the fault that the next byte is not what has to follow.
     *
     * @param inside what the cursor is in, such as {@code an object}
     * @param what the fault if the record has not ended
     */
    JsonFault wrong(String inside, String what) {
        return next() == END
                ? new JsonFault("it ends within " + inside, at)
                : new JsonFault(what, at);
    }
}
