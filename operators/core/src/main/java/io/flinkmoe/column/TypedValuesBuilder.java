// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Builds the values of tokens, one after another. A column that is not set is missing. A value that
 * its column cannot have does not throw: the first one is the {@link TypedValues#problem()} of the
 * row, which then becomes a dead letter.
 *
 * <p>Integers must fit the column exactly: 3.0 is an int32, 3.5 is not, and 16,777,217 is not a
 * float. Numbers with a fraction are rounded to the nearest float or double, as a model's training
 * data was. A number is not a text or a bool, nor the reverse. NaN is accepted where missing values
 * are NaN. Infinity never is.
 */
@PublicEvolving
public final class TypedValuesBuilder {

    /** The length of a value that is no vector. */
    public static final int NO_VECTOR = -1;

    private final ColumnLayout layout;
    private final List<Column> columns;
    private final MissingValue[] missing;
    private final boolean[] isSet;
    private byte[] numbers;
    private String[] strings;
    private String problem;

    /**
     * @param inputs the inputs of the model
     */
    public TypedValuesBuilder(InputLayout inputs) {
        this.layout = inputs.columns();
        this.columns = layout.columns();
        this.missing =
                inputs.inputs().stream().map(InputSpec::missingValue).toArray(MissingValue[]::new);
        this.isSet = new boolean[columns.size()];
        clear();
    }

    /** Forgets what was set since the last row. */
    public void clear() {
        numbers = new byte[layout.words() * Integer.BYTES];
        strings = new String[layout.strings()];
        Arrays.fill(isSet, false);
        problem = null;
    }

    /** Sets a column by its name. */
    public TypedValuesBuilder set(String name, Object value) {
        int column = layout.indexOf(name);
        if (column < 0) {
            return refuse(ColumnProblems.unknown(name, layout));
        }
        return set(column, value);
    }

    /**
     * Sets a column.
     *
     * @param value a Number, Boolean or CharSequence; for a vector an array or a List of them; null
     *     if it is missing
     */
    public TypedValuesBuilder set(int column, Object value) {
        Integer width = columns.get(column).width();
        if (width == null || value == null) {
            return width == null ? set(column, 0, value) : setNull(column);
        }
        int length = length(value);
        if (!requireLength(column, length)) {
            return this;
        } else if (length == NO_VECTOR) {
            return set(column, 0, value);
        }
        if (value instanceof float[] floats) {
            for (int i = 0; i < length; i++) {
                setDouble(column, i, floats[i]);
            }
            return this;
        }
        for (int i = 0; i < length; i++) {
            set(column, i, value instanceof List<?> l ? l.get(i) : Array.get(value, i));
        }
        return this;
    }

    private static int length(Object value) {
        if (value instanceof List<?> list) {
            return list.size();
        }
        return value.getClass().isArray() ? Array.getLength(value) : NO_VECTOR;
    }

    /**
     * Requires that a column is a vector of some length. A value alone is a vector of length 1,
     * too.
     *
     * @param length how many values there are, or {@link #NO_VECTOR}
     * @return whether it is; otherwise the row has a problem
     */
    public boolean requireLength(int column, int length) {
        Column spec = columns.get(column);
        isSet[column] = true;
        int values = length == NO_VECTOR ? 1 : length;
        if (spec.width() == null || spec.width() != values) {
            refuse(ColumnProblems.length(spec, length));
            return false;
        }
        return true;
    }

    /**
     * Sets a value of a column; {@code element} is 0 if it is not a vector.
     *
     * @param value a Number, Boolean or CharSequence; null if it is missing
     */
    public TypedValuesBuilder set(int column, int element, Object value) {
        if (value == null) {
            return setNull(column, element);
        } else if (value instanceof Boolean flag) {
            return setBoolean(column, element, flag);
        } else if (value instanceof CharSequence text) {
            return setString(column, element, text.toString());
        } else if (value instanceof Float || value instanceof Double) {
            return setDouble(column, element, ((Number) value).doubleValue());
        } else if (value instanceof BigInteger whole) {
            return setInteger(column, element, whole);
        } else if (value instanceof BigDecimal decimal) {
            return setDecimal(column, element, decimal);
        } else if (value instanceof Number number) {
            return setLong(column, element, number.longValue());
        }
        return mismatch(
                column, element, value, value.getClass().isArray() ? "a vector" : "of no type");
    }

    /** Whether the row has a problem. */
    public boolean isRefused() {
        return problem != null;
    }

    /** Says more of the problem that the row has. */
    public void explain(String more) {
        problem += more;
    }

    /** Sets a value of a column to missing; {@code element} is 0 if it is not a vector. */
    public TypedValuesBuilder setNull(int column, int element) {
        Column spec = columns.get(column);
        MissingValue value = missing[column];
        isSet[column] = true;
        if (value.isRejected()) {
            return refuse(ColumnProblems.missing(spec, element));
        }
        int at = layout.offset(column) + element * spec.type().stride();
        switch (spec.type()) {
            case FLOAT -> PackedNumbers.putFloat(numbers, at, (float) value.real());
            case DOUBLE -> PackedNumbers.putDouble(numbers, at, value.real());
            case INT32, BOOL -> PackedNumbers.putInt(numbers, at, (int) value.whole());
            case INT64 -> PackedNumbers.putLong(numbers, at, value.whole());
            case STRING -> strings[at] = value.text();
        }
        return this;
    }

    private TypedValuesBuilder setNull(int column) {
        if (missing[column].isRejected()) {
            isSet[column] = true;
            return refuse("%s is missing".formatted(columns.get(column).name()));
        }
        for (int i = 0; i < columns.get(column).count(); i++) {
            setNull(column, i);
        }
        return this;
    }

    /** Sets a value of a column to an integer; {@code element} is 0 if it is not a vector. */
    public TypedValuesBuilder setLong(int column, int element, long value) {
        Column spec = columns.get(column);
        isSet[column] = true;
        int at = layout.offset(column) + element * spec.type().stride();
        boolean isExact = Exact.isWhole(spec.type(), value);
        if (!isExact) {
            return spec.type().isNumber()
                    ? inexact(column, element, value)
                    : mismatch(column, element, value, "a number");
        }
        switch (spec.type()) {
            case FLOAT -> PackedNumbers.putFloat(numbers, at, value);
            case DOUBLE -> PackedNumbers.putDouble(numbers, at, value);
            case INT32 -> PackedNumbers.putInt(numbers, at, (int) value);
            default -> PackedNumbers.putLong(numbers, at, value);
        }
        return this;
    }

    /** Sets a value of a column to a real; {@code element} is 0 if it is not a vector. */
    public TypedValuesBuilder setDouble(int column, int element, double value) {
        Column spec = columns.get(column);
        isSet[column] = true;
        if (!spec.type().isNumber()) {
            return mismatch(column, element, value, "a number");
        }
        if (!spec.type().isReal()) {
            // 2^63 is not a long; all smaller integers of a double are.
            return value == Math.rint(value) && Math.abs(value) < 0x1p63
                    ? setLong(column, element, (long) value)
                    : inexact(column, element, value);
        }
        boolean isFloat = spec.type() == ColumnType.FLOAT;
        double stored = isFloat ? (float) value : value;
        boolean isAllowed =
                Double.isFinite(stored)
                        || Double.isNaN(stored) && Double.isNaN(missing[column].real());
        if (!isAllowed) {
            return refuse(
                    Double.isFinite(value)
                            ? ColumnProblems.tooLarge(spec, element, value)
                            : ColumnProblems.notFinite(spec, element, value));
        }
        int at = layout.offset(column) + element * spec.type().stride();
        if (isFloat) {
            PackedNumbers.putFloat(numbers, at, (float) value);
        } else {
            PackedNumbers.putDouble(numbers, at, value);
        }
        return this;
    }

    /** Sets a value of a column to a decimal; {@code element} is 0 if it is not a vector. */
    public TypedValuesBuilder setDecimal(int column, int element, BigDecimal value) {
        Column spec = columns.get(column);
        isSet[column] = true;
        if (!spec.type().isNumber()) {
            return mismatch(column, element, value, "a number");
        } else if (spec.type().isReal()) {
            // By way of a double, a float would be rounded twice.
            double real =
                    spec.type() == ColumnType.FLOAT ? value.floatValue() : value.doubleValue();
            return Double.isFinite(real)
                    ? setDouble(column, element, real)
                    : refuse(ColumnProblems.tooLarge(spec, element, value));
        }
        try {
            return setLong(column, element, value.longValueExact());
        } catch (ArithmeticException e) {
            return inexact(column, element, value);
        }
    }

    private TypedValuesBuilder setInteger(int column, int element, BigInteger value) {
        ColumnType type = columns.get(column).type();
        if (value.bitLength() < Long.SIZE || !type.isReal()) {
            return setDecimal(column, element, new BigDecimal(value));
        }
        return Exact.isReal(type, value)
                ? setDouble(column, element, value.doubleValue())
                : inexact(column, element, value);
    }

    /** Sets a value of a column to true or false; {@code element} is 0 if it is not a vector. */
    public TypedValuesBuilder setBoolean(int column, int element, boolean value) {
        isSet[column] = true;
        if (columns.get(column).type() != ColumnType.BOOL) {
            return mismatch(column, element, value, "a bool");
        }
        int at = layout.offset(column) + element * Integer.BYTES;
        PackedNumbers.putInt(numbers, at, value ? 1 : 0);
        return this;
    }

    /** Sets a value of a column to a text; {@code element} is 0 if it is not a vector. */
    public TypedValuesBuilder setString(int column, int element, String value) {
        isSet[column] = true;
        if (columns.get(column).type() != ColumnType.STRING) {
            return mismatch(column, element, value, "a text");
        }
        strings[layout.offset(column) + element] = value;
        return this;
    }

    /** Records that the row cannot be scored, unless it is already known. */
    public TypedValuesBuilder refuse(String reason) {
        if (problem == null) {
            problem = reason;
        }
        return this;
    }

    /** Returns the row, and starts the next one. */
    public TypedValues build() {
        for (int column = 0; column < isSet.length; column++) {
            if (!isSet[column]) {
                setNull(column);
            }
        }
        for (int i = 0; i < strings.length && problem != null; i++) {
            strings[i] = strings[i] == null ? "" : strings[i];
        }
        TypedValues values =
                problem == null
                        ? TypedValues.of(layout, numbers, strings)
                        : TypedValues.invalid(layout, numbers, strings, problem);
        clear();
        return values;
    }

    private TypedValuesBuilder inexact(int column, int element, Number value) {
        isSet[column] = true;
        return refuse(ColumnProblems.inexact(columns.get(column), element, value));
    }

    private TypedValuesBuilder mismatch(int column, int element, Object value, String kind) {
        return refuse(ColumnProblems.mismatch(columns.get(column), element, value, kind));
    }
}
