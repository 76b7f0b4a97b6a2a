// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The input columns of a model, and where they are in a block of T tokens: numbers [T, words] and
 * strings [T, S]. A rule looks its column up by text, so a column of numbers that a rule reads has
 * a string, too, behind the strings of the columns.
 */
@PublicEvolving
public final class InputLayout implements Serializable {

    private static final long serialVersionUID = 1L;

    private final List<InputSpec> inputs;
    private final ColumnLayout columns;
    private final int[] keys;

    /**
     * @param ruleColumns the names of the columns that rules read
     * @throws IllegalArgumentException if two inputs have one name
     */
    public InputLayout(List<InputSpec> inputs, Collection<String> ruleColumns) {
        this.inputs = new ArrayList<>(inputs);
        this.columns = new ColumnLayout(inputs.stream().map(InputSpec::column).toList());
        int[] numbers = new int[inputs.size()];
        int count = 0;
        for (int i = 0; i < numbers.length; i++) {
            InputSpec input = inputs.get(i);
            if (input.type() != ColumnType.STRING && ruleColumns.contains(input.name())) {
                numbers[count++] = i;
            }
        }
        this.keys = Arrays.copyOf(numbers, count);
    }

    /** The inputs of a model that takes a vector named {@code x}. */
    public static InputLayout vector(int width) {
        return new InputLayout(List.of(new InputSpec("x", ColumnType.FLOAT, width)), List.of());
    }

    /** The inputs, in order. */
    public List<InputSpec> inputs() {
        return inputs;
    }

    /** The columns. */
    public ColumnLayout columns() {
        return columns;
    }

    /** Whether the only input is a vector of floats. Then a token carries it as an array. */
    public boolean isVector() {
        return columns.isVector();
    }

    /** Whether the numbers of a token are the one float vector that the encoder reads. */
    public boolean numbersAreVector() {
        int read = 0;
        int floats = 0;
        for (InputSpec input : inputs) {
            read += input.isRead() ? 1 : 0;
            boolean isRead = input.isRead() && input.type() == ColumnType.FLOAT;
            floats += isRead ? input.column().count() : 0;
        }
        return read == 1 && floats > 0 && floats == words();
    }

    /** Whether a value of the vector may be NaN. */
    public boolean allowsNan() {
        return InputSpec.NAN.equals(inputs.get(0).missing());
    }

    /** The 4-byte words of the numbers of a token; of a vector, its width. */
    public int words() {
        return columns.words();
    }

    /** S, the strings of a token in a block. */
    public int strings() {
        return columns.strings() + keys.length;
    }

    /** The string of a token in which a rule finds its column; -1 if it has no such column. */
    @Internal
    public int keyOf(String name) {
        int column = columns.indexOf(name);
        if (column < 0 || inputs.get(column).width() != null) {
            return -1;
        }
        if (inputs.get(column).type() == ColumnType.STRING) {
            return columns.offset(column);
        }
        int key = Arrays.binarySearch(keys, column);
        return key < 0 ? -1 : columns.strings() + key;
    }

    /**
     * Writes the values of a token into a row of a block.
     *
     * @param numbers [T, words]
     * @param strings [T, S]
     */
    @Internal
    public void put(TypedValues values, byte[] numbers, String[] strings, int row) {
        int bytes = values.numbers().length;
        System.arraycopy(values.numbers(), 0, numbers, row * bytes, bytes);
        int own = columns.strings();
        int first = row * (own + keys.length);
        System.arraycopy(values.strings(), 0, strings, first, own);
        for (int i = 0; i < keys.length; i++) {
            strings[first + own + i] = String.valueOf(values.get(keys[i]));
        }
    }

    /** Returns the values of a token in a row of a block. */
    @Internal
    public TypedValues row(byte[] numbers, String[] strings, int row) {
        int bytes = columns.words() * Integer.BYTES;
        int first = row * strings();
        return TypedValues.of(
                columns,
                Arrays.copyOfRange(numbers, row * bytes, (row + 1) * bytes),
                Arrays.copyOfRange(strings, first, first + columns.strings()));
    }
}
