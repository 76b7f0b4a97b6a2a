// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import com.fasterxml.jackson.core.StreamReadConstraints;
import org.apache.flink.annotation.Internal;

/**
 * Reads one JSON object (RFC 8259) from its bytes, value by value, and makes nothing of values that
 * are not wanted. Jackson's parser does the same for texts in general; this one needs a fraction of
 * its time for arrays of numbers, and says in plain words what is wrong. The limits are Jackson's.
 */
@Internal
final class JsonScanner {

    /** A deeper record would need too large a stack. */
    private static final int MAX_DEPTH = StreamReadConstraints.DEFAULT_MAX_DEPTH;

    /** What kind of value is next, or was read. */
    enum Kind {
        OBJECT,
        ARRAY,
        TEXT,
        NUMBER,
        TRUE,
        FALSE,
        NULL;

        boolean isScalar() {
            return this != OBJECT && this != ARRAY;
        }
    }

    private final JsonCursor cursor = new JsonCursor();
    private final JsonNumber number = new JsonNumber(cursor);
    private final JsonFloats floats = new JsonFloats(cursor);
    private boolean isInArray; // A text here would cost more, as it is set for each element.
    private int depth;
    private int textFrom;
    private int textTo;
    private boolean hasEscapes;

    /**
     * Goes to the object that a record is.
     *
     * @param record UTF-8
     */
    void begin(byte[] record) throws JsonFault {
        depth = 0;
        isInArray = false;
        cursor.begin(record);
        if (cursor.next() != '{') {
            throw new JsonFault("{ is missing", cursor.at());
        }
    }

    /** Checks that nothing follows the object. */
    void end() throws JsonFault {
        cursor.skipSpace();
        if (cursor.next() != JsonCursor.END) {
            throw new JsonFault("something follows the object", cursor.at());
        }
    }

    /** The number of the next byte. */
    int at() {
        return cursor.at();
    }

    /** Whether a number is next. */
    boolean isNumber() {
        int next = cursor.next();
        return next <= '9' && next >= '0' || next == '-';
    }

    /** Reads the number that is next. */
    JsonNumber readNumber() throws JsonFault {
        number.read();
        return number;
    }

    /**
     * Reads elements of an array, but not all that are numbers: as many as are there at once.
     *
     * @return how many are there in all
     */
    int readFloats(float[] to, int count) {
        return floats.read(to, count);
    }

    /** Goes back to the beginning of a value in the present array. */
    void returnTo(int byteNumber) {
        cursor.goTo(byteNumber);
    }

    /** The kind of the value that is next. It does not check a word. */
    Kind next() throws JsonFault {
        return switch (cursor.next()) {
            case '{' -> Kind.OBJECT;
            case '[' -> Kind.ARRAY;
            case '"' -> Kind.TEXT;
            case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' -> Kind.NUMBER;
            case 't' -> Kind.TRUE;
            case 'f' -> Kind.FALSE;
            case 'n' -> Kind.NULL;
            default -> throw noValue();
        };
    }

    private JsonFault noValue() {
        return wrong(cursor.isAtNoNumber() ? JsonFault.NO_NUMBER : "a value is missing");
    }

    /**
     * Goes to the value of the first name of the object that is next. Returns false if it has none,
     * behind the object.
     */
    boolean enterObject() throws JsonFault {
        enter();
        isInArray = false;
        return !leaves('}') && readName();
    }

    /** Goes to the value of the next name of the object, or behind the object. */
    boolean nextName() throws JsonFault {
        isInArray = false;
        if (cursor.skipSpaceAnd(',')) {
            return readName();
        } else if (leaves('}')) {
            return false;
        }
        throw wrong("a comma or } is missing after a value");
    }

    private boolean readName() throws JsonFault {
        if (cursor.next() != '"') {
            throw wrong("a name in double quotes is missing");
        }
        skipText("name", StreamReadConstraints.DEFAULT_MAX_NAME_LEN);
        if (!cursor.skipSpaceAnd(':')) {
            throw wrong("a colon is missing after a name");
        }
        return true;
    }

    /**
     * Goes to the first element of the array that is next. Returns false if it has none, behind the
     * array.
     */
    boolean enterArray() throws JsonFault {
        enter();
        isInArray = true;
        return !leaves(']');
    }

    /** Goes to the next element of the array, or behind the array. */
    boolean nextElement() throws JsonFault {
        isInArray = true;
        if (cursor.skipSpaceAnd(',')) {
            return true;
        } else if (leaves(']')) {
            return false;
        }
        throw wrong("a comma or ] is missing after a value");
    }

    private void enter() throws JsonFault {
        if (++depth > MAX_DEPTH) {
            throw new JsonFault(
                    "objects and arrays are nested deeper than %,d, which is the limit"
                            .formatted(MAX_DEPTH),
                    cursor.at());
        }
        cursor.skip();
        cursor.skipSpace();
    }

    private boolean leaves(char bracket) {
        boolean leaves = cursor.skip(bracket);
        depth -= leaves ? 1 : 0;
        return leaves;
    }

    /** Whether the last name is this one, in UTF-8, written without escapes. */
    boolean isName(byte[] name) {
        return !hasEscapes && cursor.has(name, textFrom, textTo);
    }

    /** Whether the last name, or text, has escapes. */
    boolean hasEscapes() {
        return hasEscapes;
    }

    /** The text, or the name, that was read last. */
    String text() {
        String raw = cursor.text(textFrom, textTo);
        return hasEscapes ? unescaped(raw) : raw;
    }

    /** The number that was read last. */
    JsonNumber number() {
        return number;
    }

    /** Reads the next value, which is no object and no array. */
    Kind readScalar() throws JsonFault {
        Kind kind = next();
        switch (kind) {
            case TEXT -> skipText("text", StreamReadConstraints.DEFAULT_MAX_STRING_LEN);
            case NUMBER -> number.read();
            case TRUE -> skipWord("true");
            case FALSE -> skipWord("false");
            case NULL -> skipWord("null");
            default -> throw new IllegalStateException(kind + " is no scalar");
        }
        return kind;
    }

    /** Checks the next value, and goes behind it. */
    void skipValue() throws JsonFault {
        switch (next()) {
            case OBJECT -> {
                for (boolean more = enterObject(); more; more = nextName()) {
                    skipValue();
                }
            }
            case ARRAY -> {
                for (boolean more = enterArray(); more; more = nextElement()) {
                    skipValue();
                }
            }
            default -> readScalar();
        }
    }

    private JsonFault wrong(String what) {
        return cursor.wrong(isInArray ? "an array" : "an object", what);
    }

    private void skipWord(String word) throws JsonFault {
        if (!cursor.skip(word)) {
            throw noValue();
        }
    }

    private void skipText(String kind, int limit) throws JsonFault {
        cursor.skip();
        textFrom = cursor.at();
        hasEscapes = false;
        for (int next = cursor.next(); next != '"'; next = cursor.next()) {
            if (next < ' ') {
                throw cursor.wrong("a " + kind, "a %s has a control character".formatted(kind));
            } else if (next == '\\') {
                hasEscapes = true;
                skipEscape(kind);
            } else {
                cursor.skip();
            }
        }
        textTo = cursor.at();
        if (textTo - textFrom > limit && text().length() > limit) {
            throw new JsonFault(
                    "a %s has more than %,d characters, which is the limit".formatted(kind, limit),
                    textFrom - 1);
        }
        cursor.skip();
    }

    private void skipEscape(String kind) throws JsonFault {
        int begin = cursor.at();
        cursor.skip();
        int letter = cursor.next();
        if (letter == JsonCursor.END) {
            throw cursor.wrong("a " + kind, "");
        } else if ("\"\\/bfnrtu".indexOf(letter) < 0) {
            throw new JsonFault("a %s has an unknown escape".formatted(kind), begin);
        }
        cursor.skip();
        for (int digit = 0; letter == 'u' && digit < 4; digit++) {
            if (cursor.next() == JsonCursor.END || Character.digit(cursor.next(), 16) < 0) {
                throw cursor.wrong("a " + kind, "\\u is not followed by four hexadecimal digits");
            }
            cursor.skip();
        }
    }

    private static String unescaped(String raw) {
        StringBuilder text = new StringBuilder(raw.length());
        for (int i = 0; i < raw.length(); i++) {
            char character = raw.charAt(i);
            if (character != '\\') {
                text.append(character);
                continue;
            }
            character = raw.charAt(++i);
            if (character == 'u') {
                text.append((char) Integer.parseInt(raw, i + 1, i + 5, 16));
                i += 4;
            } else {
                int which = "bfnrt".indexOf(character);
                text.append(which < 0 ? character : "\b\f\n\r\t".charAt(which));
            }
        }
        return text.toString();
    }
}
