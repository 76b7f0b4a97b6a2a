// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.column.ColumnType;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * A value of the present record in JSON. A number with a fraction is read as a float or double
 * where one is wanted: the one nearest to its text. All others are exact.
 */
@Internal
final class JsonSlot implements RecordReader.Field {

    /** All smaller integers are floats. */
    private static final int EXACT_FLOATS = 1 << 24;

    /**
     * What there is. Numbers are no objects here: a slot is old and a new object in it would cost
     * the garbage collector more than the parser needs to read it.
     */
    private enum Content {
        NOTHING,
        OBJECT,
        LONG,
        FLOAT,
        DOUBLE
    }

    private final FieldPath path;
    private final ColumnType wanted;
    private final float[] floats;
    private Content content = Content.NOTHING;
    private Object object;
    private long whole;
    private double real;

    /**
     * @param wanted the type of the values, or null
     * @param width how many there are in an array; null if the value is no array
     */
    JsonSlot(FieldPath path, ColumnType wanted, Integer width) {
        this.path = path;
        this.wanted = wanted;
        this.floats = width != null && wanted == ColumnType.FLOAT ? new float[width] : null;
    }

    FieldPath path() {
        return path;
    }

    @Override
    public Object get(Object decoded) throws BadRecordException {
        return switch (content) {
            case NOTHING -> null;
            case OBJECT -> {
                if (object instanceof BadRecordException e) {
                    throw e;
                }
                yield object;
            }
            case LONG -> whole;
            case FLOAT -> (float) real;
            case DOUBLE -> real;
        };
    }

    void clear() {
        content = Content.NOTHING;
        object = null;
    }

    private void set(Object value) {
        content = value == null ? Content.NOTHING : Content.OBJECT;
        object = value;
    }

    /** Takes the value of another slot of the same place. */
    void share(JsonSlot other) {
        set(other.object);
    }

    /** Notes that the value cannot be used. */
    void refuse(String reason) {
        set(bad(reason));
    }

    /** Takes the value of the present token, which is no object and no array. */
    void readScalar(JsonParser parser, JsonToken token) throws IOException {
        if (token == JsonToken.VALUE_NUMBER_INT
                && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER) {
            whole = parser.getLongValue();
            content = Content.LONG;
        } else if (token == JsonToken.VALUE_NUMBER_FLOAT && wanted == ColumnType.FLOAT) {
            real = parser.getFloatValue();
            content = Content.FLOAT;
        } else if (token == JsonToken.VALUE_NUMBER_FLOAT && wanted == ColumnType.DOUBLE) {
            real = parser.getDoubleValue();
            content = Content.DOUBLE;
        } else {
            set(scalar(parser, token));
        }
    }

    /** Returns a BadRecordException if the value cannot be used. */
    private Object scalar(JsonParser parser, JsonToken token) throws IOException {
        return switch (token) {
            case VALUE_STRING -> text(parser.getText());
            case VALUE_TRUE -> Boolean.TRUE;
            case VALUE_FALSE -> Boolean.FALSE;
            case VALUE_NUMBER_INT -> parser.getNumberValue();
            case VALUE_NUMBER_FLOAT -> real(parser);
            default -> null;
        };
    }

    private Object text(String text) {
        return Unicode.isValid(text)
                ? text
                : bad("%s has half of a surrogate pair, which is no Unicode".formatted(path));
    }

    private Object real(JsonParser parser) throws IOException {
        if (wanted == ColumnType.FLOAT) {
            return parser.getFloatValue();
        } else if (wanted == ColumnType.DOUBLE) {
            return parser.getDoubleValue();
        }
        try {
            return parser.getDecimalValue();
        } catch (JsonProcessingException | ArithmeticException | NumberFormatException e) {
            return bad("%s has an exponent that is out of range".formatted(path));
        }
    }

    private static BadRecordException bad(String reason) {
        return new BadRecordException(Kind.INPUT, reason);
    }

    /** Takes the array that begins at the present token. */
    void readArray(JsonParser parser) throws IOException {
        int count = 0;
        JsonToken token = parser.nextToken();
        while (floats != null && count < floats.length) {
            if (token == JsonToken.VALUE_NUMBER_FLOAT) {
                floats[count] = parser.getFloatValue();
            } else if (token == JsonToken.VALUE_NUMBER_INT && isFloat(parser)) {
                floats[count] = parser.getIntValue();
            } else {
                break;
            }
            count++;
            token = parser.nextToken();
        }
        if (floats != null && count == floats.length && token == JsonToken.END_ARRAY) {
            set(floats);
        } else {
            readRest(parser, token, count);
        }
    }

    private static boolean isFloat(JsonParser parser) throws IOException {
        return parser.getNumberType() == JsonParser.NumberType.INT
                && Math.abs((long) parser.getIntValue()) <= EXACT_FLOATS;
    }

    /**
     * Takes the rest of an array.
     *
     * @param count the number of floats that were read
     */
    private void readRest(JsonParser parser, JsonToken first, int count) throws IOException {
        List<Object> values = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            values.add(floats[i]);
        }
        BadRecordException problem = null;
        for (JsonToken token = first; token != JsonToken.END_ARRAY; token = parser.nextToken()) {
            if (token.isStructStart()) {
                problem = bad("%s has an element that is no single value".formatted(path));
                parser.skipChildren();
                continue;
            }
            Object element = scalar(parser, token);
            if (element instanceof BadRecordException e) {
                problem = e;
            }
            values.add(element);
        }
        set(problem == null ? values : problem);
    }
}
