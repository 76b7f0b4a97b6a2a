// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.column.ColumnType;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * A value of the present record in JSON. A number with a fraction is read as a float or double
 * where one is wanted: the one nearest to its text. All others are exact.
 */
@Internal
final class JsonSlot implements RecordReader.Field {

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

    /** Takes the value that was read last, which is no object and no array. */
    void setScalar(JsonScanner scanner, JsonScanner.Kind kind) {
        boolean isNumber = kind == JsonScanner.Kind.NUMBER;
        if (isNumber && scanner.number().isLong()) {
            whole = scanner.number().longValue();
            content = Content.LONG;
            return;
        }
        real = isNumber ? real(scanner.number()) : Double.NaN;
        if (Double.isFinite(real)) {
            content = wanted == ColumnType.FLOAT ? Content.FLOAT : Content.DOUBLE;
        } else {
            set(scalar(scanner, kind));
        }
    }

    /** Returns NaN if no float or double is wanted, or infinity if the number is too large. */
    private double real(JsonNumber number) {
        if (number.isWhole()) {
            return Double.NaN;
        }
        return wanted == ColumnType.FLOAT
                ? number.floatValue()
                : wanted == ColumnType.DOUBLE ? number.doubleValue() : Double.NaN;
    }

    /** Returns a BadRecordException if the value cannot be used. */
    private Object scalar(JsonScanner scanner, JsonScanner.Kind kind) {
        return switch (kind) {
            case TEXT -> text(scanner.text());
            case TRUE -> Boolean.TRUE;
            case FALSE -> Boolean.FALSE;
            case NUMBER -> number(scanner.number());
            default -> null;
        };
    }

    private Object text(String text) {
        return Unicode.isValid(text)
                ? text
                : bad("%s has half of a surrogate pair, which is no Unicode".formatted(path));
    }

    private Object number(JsonNumber number) {
        if (number.isWhole()) {
            return number.isLong() ? (Object) number.longValue() : number.bigInteger();
        }
        double real = real(number);
        if (Double.isFinite(real)) {
            return wanted == ColumnType.FLOAT ? (Object) (float) real : (Object) real;
        }
        try {
            return number.decimal();
        } catch (ArithmeticException | NumberFormatException e) {
            return bad("%s has an exponent that is out of range".formatted(path));
        }
    }

    private static BadRecordException bad(String reason) {
        return new BadRecordException(Kind.INPUT, reason);
    }

    /** Reads the array that is next. */
    void readArray(JsonScanner scanner) throws JsonFault {
        int count = 0;
        boolean more = scanner.enterArray();
        while (more && floats != null && count < floats.length) {
            count = scanner.readFloats(floats, count);
            int begin = scanner.at();
            if (count == floats.length || !scanner.isNumber()) {
                break;
            }
            float number = scanner.readNumber().floatOrNotFinite();
            if (!Float.isFinite(number)) {
                scanner.returnTo(begin);
                break;
            }
            floats[count++] = number;
            more = scanner.nextElement();
        }
        if (floats != null && count == floats.length && !more) {
            set(floats);
        } else {
            readRest(scanner, more, count);
        }
    }

    /**
     * Reads the rest of an array.
     *
     * @param hasMore whether an element is next
     * @param count the number of floats that were read
     */
    private void readRest(JsonScanner scanner, boolean hasMore, int count) throws JsonFault {
        List<Object> values = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            values.add(floats[i]);
        }
        BadRecordException problem = null;
        for (boolean more = hasMore; more; more = scanner.nextElement()) {
            if (scanner.next().isScalar()) {
                Object element = scalar(scanner, scanner.readScalar());
                if (element instanceof BadRecordException e) {
                    problem = e;
                }
                values.add(element);
            } else {
                problem = bad("%s has an element that is no single value".formatted(path));
                scanner.skipValue();
            }
        }
        set(problem == null ? values : problem);
    }
}
