// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The values of the typed columns of one record: the inputs of a model for one token, or its
 * outputs. Immutable. A TypedValuesBuilder makes those of a token.
 */
@PublicEvolving
public final class TypedValues {

    private final ColumnLayout layout;
    private final byte[] numbers;
    private final String[] strings;
    private final String problem;

    private TypedValues(ColumnLayout layout, byte[] numbers, String[] strings, String problem) {
        this.layout = layout;
        this.numbers = numbers;
        this.strings = strings;
        this.problem = problem;
    }

    /**
     * Returns a row. The arrays must not be changed afterwards.
     *
     * @param numbers the packed numbers, {@link ColumnLayout#words()} words of 4 bytes
     * @param strings the strings
     */
    @Internal
    public static TypedValues of(ColumnLayout layout, byte[] numbers, String[] strings) {
        return new TypedValues(layout, numbers, strings, null);
    }

    /** Returns a row with a value that its column cannot have. */
    @Internal
    public static TypedValues invalid(
            ColumnLayout layout, byte[] numbers, String[] strings, String problem) {
        return new TypedValues(layout, numbers, strings, problem);
    }

    /** The columns. */
    public ColumnLayout layout() {
        return layout;
    }

    /**
     * Why the row cannot be scored: a value is missing, of another type, or not finite. Null if it
     * can. Such a row becomes a dead letter with this reason.
     */
    public String problem() {
        return problem;
    }

    /** The packed numbers. Do not change the array. */
    @Internal
    public byte[] numbers() {
        return numbers;
    }

    /** The strings. Do not change the array. */
    @Internal
    public String[] strings() {
        return strings;
    }

    /**
     * Returns the values of a column: a Float, Double, Integer, Long, Boolean or String, or for a
     * vector an array of the type.
     *
     * @throws IllegalArgumentException if there is no column of this name
     */
    public Object get(String name) {
        int column = layout.indexOf(name);
        if (column < 0) {
            throw new IllegalArgumentException(
                    "there is no column %s; there are %s".formatted(name, layout.describe()));
        }
        return get(column);
    }

    /** Returns the values of a column by its number. */
    public Object get(int column) {
        Column spec = layout.columns().get(column);
        if (spec.width() == null) {
            return value(spec.type(), layout.offset(column));
        }
        int at = layout.offset(column);
        int n = spec.count();
        return switch (spec.type()) {
            case FLOAT -> floats(at, n);
            case DOUBLE -> doubles(at, n);
            case INT32 -> ints(at, n);
            case INT64 -> longs(at, n);
            case BOOL -> flags(at, n);
            case STRING -> Arrays.copyOfRange(strings, at, at + n);
        };
    }

    private Object value(ColumnType type, int at) {
        return switch (type) {
            case FLOAT -> PackedNumbers.getFloat(numbers, at);
            case DOUBLE -> PackedNumbers.getDouble(numbers, at);
            case INT32 -> PackedNumbers.getInt(numbers, at);
            case INT64 -> PackedNumbers.getLong(numbers, at);
            case BOOL -> PackedNumbers.getInt(numbers, at) != 0;
            case STRING -> strings[at];
        };
    }

    private float[] floats(int at, int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = PackedNumbers.getFloat(numbers, at + i * Float.BYTES);
        }
        return values;
    }

    private double[] doubles(int at, int n) {
        double[] values = new double[n];
        for (int i = 0; i < n; i++) {
            values[i] = PackedNumbers.getDouble(numbers, at + i * Double.BYTES);
        }
        return values;
    }

    private int[] ints(int at, int n) {
        int[] values = new int[n];
        for (int i = 0; i < n; i++) {
            values[i] = PackedNumbers.getInt(numbers, at + i * Integer.BYTES);
        }
        return values;
    }

    private long[] longs(int at, int n) {
        long[] values = new long[n];
        for (int i = 0; i < n; i++) {
            values[i] = PackedNumbers.getLong(numbers, at + i * Long.BYTES);
        }
        return values;
    }

    private boolean[] flags(int at, int n) {
        boolean[] values = new boolean[n];
        for (int i = 0; i < n; i++) {
            values[i] = PackedNumbers.getInt(numbers, at + i * Integer.BYTES) != 0;
        }
        return values;
    }

    /** Returns the values by name, in order of the columns. */
    public Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int column = 0; column < layout.columns().size(); column++) {
            map.put(layout.columns().get(column).name(), get(column));
        }
        return map;
    }

    /** The values of all float columns, one after another. */
    public float[] floats() {
        float[] all = new float[numbers.length / Float.BYTES];
        int count = 0;
        for (int column = 0; column < layout.columns().size(); column++) {
            Column spec = layout.columns().get(column);
            if (spec.type() == ColumnType.FLOAT) {
                int at = layout.offset(column);
                for (int i = 0; i < spec.count(); i++) {
                    all[count++] = PackedNumbers.getFloat(numbers, at + i * Float.BYTES);
                }
            }
        }
        return count == all.length ? all : Arrays.copyOf(all, count);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TypedValues that
                && layout.equals(that.layout)
                && Arrays.equals(numbers, that.numbers)
                && Arrays.equals(strings, that.strings)
                && Objects.equals(problem, that.problem);
    }

    @Override
    public int hashCode() {
        return Objects.hash(layout, Arrays.hashCode(numbers), Arrays.hashCode(strings), problem);
    }

    /** The values by name, such as {@code {amount=12.5, card=A}}. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("{");
        for (int column = 0; column < layout.columns().size(); column++) {
            text.append(column == 0 ? "" : ", ")
                    .append(layout.columns().get(column).name())
                    .append('=')
                    .append(text(get(column)));
        }
        return text.append(problem == null ? "}" : "; " + problem + "}").toString();
    }

    private static String text(Object value) {
        String text = Arrays.deepToString(new Object[] {value});
        return text.substring(1, text.length() - 1);
    }
}
