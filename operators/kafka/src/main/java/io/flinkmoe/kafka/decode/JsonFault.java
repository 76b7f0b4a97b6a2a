// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import com.fasterxml.jackson.core.StreamReadConstraints;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * Says in plain words why bytes are no JSON object (RFC 8259), and at which byte. It reads bytes
 * once more that the parser has refused, because the parser's own words quote the record. It never
 * does.
 */
@Internal
final class JsonFault {

    private static final int END = -1;

    private final byte[] bytes;
    private final StreamReadConstraints limits;
    private int at;

    private JsonFault(byte[] bytes, StreamReadConstraints limits) {
        this.bytes = bytes;
        this.limits = limits;
    }

    /** Where reading ends. */
    private static final class Found extends Exception {

        private static final long serialVersionUID = 1L;

        Found(String reason) {
            super(reason, null, false, false);
        }
    }

    /**
     * Returns what is wrong, such as {@code a colon is missing after a name, at byte 5}; empty if
     * nothing is.
     *
     * @param bytes UTF-8
     * @param limits those of the parser
     */
    static Optional<String> find(byte[] bytes, StreamReadConstraints limits) {
        JsonFault fault = new JsonFault(bytes, limits);
        try {
            fault.readAll();
            return Optional.empty();
        } catch (Found e) {
            return Optional.of(e.getMessage());
        }
    }

    private static Found found(String what, int byteNumber) {
        return new Found("%s, at byte %d".formatted(what, byteNumber));
    }

    /** What is next is not what has to be next. */
    private Found wrong(String inside, String what) {
        return next() == END ? found("it ends within " + inside, at) : found(what, at);
    }

    private int next() {
        return at < bytes.length ? bytes[at] & 0xff : END;
    }

    private void skipSpace() {
        while (next() == ' ' || next() == '\t' || next() == '\n' || next() == '\r') {
            at++;
        }
    }

    private void readAll() throws Found {
        boolean hasMark =
                bytes.length > 2
                        && bytes[0] == (byte) 0xef
                        && bytes[1] == (byte) 0xbb
                        && bytes[2] == (byte) 0xbf;
        at = hasMark ? 3 : 0;
        skipSpace();
        if (next() != '{') {
            throw found("an object is missing", at);
        }
        readValue("", 0);
        skipSpace();
        if (next() != END) {
            throw found("something follows the object", at);
        }
    }

    private void readValue(String inside, int depth) throws Found {
        if (next() == '{' || next() == '[') {
            if (depth + 1 > limits.getMaxNestingDepth()) {
                throw found(
                        "objects and arrays are nested deeper than %,d, which is the limit"
                                .formatted(limits.getMaxNestingDepth()),
                        at);
            }
            if (next() == '{') {
                readObject(depth + 1);
            } else {
                readArray(depth + 1);
            }
        } else if (next() == '"') {
            readText("text", limits.getMaxStringLength());
        } else if (next() == '-' || isDigit()) {
            readNumber();
        } else if (!skipWord("true") && !skipWord("false") && !skipWord("null")) {
            throw wrong(
                    inside, isNoNumber() ? "NaN and Infinity are no JSON" : "a value is missing");
        }
    }

    private void readObject(int depth) throws Found {
        at++;
        skipSpace();
        boolean isFirst = true;
        while (isFirst || next() == ',') {
            if (isFirst && next() == '}') {
                break;
            }
            at += isFirst ? 0 : 1;
            isFirst = false;
            skipSpace();
            if (next() != '"') {
                throw wrong("an object", "a name in double quotes is missing");
            }
            readText("name", limits.getMaxNameLength());
            skipSpace();
            if (next() != ':') {
                throw wrong("an object", "a colon is missing after a name");
            }
            at++;
            skipSpace();
            readValue("an object", depth);
            skipSpace();
        }
        if (next() != '}') {
            throw wrong("an object", "a comma or } is missing after a value");
        }
        at++;
    }

    private void readArray(int depth) throws Found {
        at++;
        skipSpace();
        boolean isFirst = true;
        while (isFirst || next() == ',') {
            if (isFirst && next() == ']') {
                break;
            }
            at += isFirst ? 0 : 1;
            isFirst = false;
            skipSpace();
            readValue("an array", depth);
            skipSpace();
        }
        if (next() != ']') {
            throw wrong("an array", "a comma or ] is missing after a value");
        }
        at++;
    }

    /** Characters that are pairs of surrogates count twice, as they do for the parser. */
    private void readText(String kind, int limit) throws Found {
        int begin = at++;
        int length = 0;
        while (next() != '"') {
            if (next() < ' ') {
                throw wrong("a " + kind, "a %s has a control character".formatted(kind));
            }
            boolean continues = (next() & 0xc0) == 0x80;
            length += continues ? 0 : next() >= 0xf0 ? 2 : 1;
            if (length > limit) {
                throw found(
                        "a %s has more than %,d characters, which is the limit"
                                .formatted(kind, limit),
                        begin);
            }
            if (next() == '\\') {
                readEscape(kind);
            } else {
                at++;
            }
        }
        at++;
    }

    private void readEscape(String kind) throws Found {
        int begin = at++;
        int letter = next();
        if (letter == END || "\"\\/bfnrtu".indexOf(letter) < 0) {
            throw letter == END
                    ? wrong("a " + kind, "")
                    : found("a %s has an unknown escape".formatted(kind), begin);
        }
        at++;
        for (int digit = 0; letter == 'u' && digit < 4; digit++) {
            if (next() == END || Character.digit(next(), 16) < 0) {
                throw wrong("a " + kind, "\\u is not followed by four hexadecimal digits");
            }
            at++;
        }
    }

    private void readNumber() throws Found {
        int begin = at;
        skip('-');
        boolean isZero = next() == '0';
        int whole = readDigits();
        if (isZero && whole > 1) {
            throw found("a number begins with a needless 0", begin);
        }
        int digits = whole + (skip('.') ? readDigits() : 0);
        if (skip('e') || skip('E')) {
            if (!skip('-')) {
                skip('+');
            }
            digits += readDigits();
        }
        if (digits > limits.getMaxNumberLength()) {
            throw found(
                    "a number has %,d digits; allowed: up to %,d"
                            .formatted(digits, limits.getMaxNumberLength()),
                    begin);
        }
    }

    private int readDigits() throws Found {
        int begin = at;
        while (isDigit()) {
            at++;
        }
        if (at == begin) {
            throw wrong("a number", "a number lacks a digit");
        }
        return at - begin;
    }

    private boolean isDigit() {
        return next() >= '0' && next() <= '9';
    }

    private boolean isNoNumber() {
        return isWord("NaN") || isWord("Infinity");
    }

    private boolean skip(char character) {
        boolean is = next() == character;
        at += is ? 1 : 0;
        return is;
    }

    private boolean skipWord(String word) {
        boolean is = isWord(word);
        at += is ? word.length() : 0;
        return is;
    }

    private boolean isWord(String word) {
        for (int i = 0; i < word.length(); i++) {
            if (at + i >= bytes.length || bytes[at + i] != word.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}
