// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import java.io.Serializable;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Where the values of a record's columns are. The numbers of a row are packed one after another in
 * order of the columns, little endian, in words of 4 bytes; a row of one float column is therefore
 * a vector. Strings stand beside the numbers, in order of the columns.
 */
@PublicEvolving
public final class ColumnLayout implements Serializable {

    private static final long serialVersionUID = 1L;

    private final List<Column> columns;
    private final int[] offsets;
    private final int words;
    private final int strings;

    /**
     * @throws IllegalArgumentException if there is no column, or two have one name
     */
    public ColumnLayout(List<Column> columns) {
        this.columns = List.copyOf(columns);
        this.offsets = new int[columns.size()];
        Set<String> names = new HashSet<>();
        int numbers = 0;
        int texts = 0;
        for (int i = 0; i < offsets.length; i++) {
            Column column = columns.get(i);
            if (!names.add(column.name())) {
                throw new IllegalArgumentException(
                        "%s is the name of two columns; names must differ"
                                .formatted(column.name()));
            }
            boolean isText = column.type() == ColumnType.STRING;
            offsets[i] = isText ? texts : numbers;
            texts += isText ? column.count() : 0;
            numbers = Math.addExact(numbers, column.words());
        }
        this.words = numbers;
        this.strings = texts;
    }

    /** The columns, in order. */
    public List<Column> columns() {
        return columns;
    }

    /** The 4-byte words of the numbers of a row. */
    public int words() {
        return words;
    }

    /** The strings of a row. */
    public int strings() {
        return strings;
    }

    /** Whether the only column is a vector of floats. */
    public boolean isVector() {
        return columns.size() == 1
                && columns.get(0).type() == ColumnType.FLOAT
                && columns.get(0).width() != null;
    }

    /** The number of a column; -1 if there is none of this name. */
    public int indexOf(String name) {
        for (int i = 0; i < columns.size(); i++) {
            if (columns.get(i).name().equals(name)) {
                return i;
            }
        }
        return -1;
    }

    /** The first byte of a column in the numbers of a row, or its first string. */
    public int offset(int column) {
        boolean isText = columns.get(column).type() == ColumnType.STRING;
        return isText ? offsets[column] : offsets[column] * Integer.BYTES;
    }

    /**
     * Writes a number for probes: as it is into a real column, else 1 for a positive one and 0.
     *
     * @param at the first byte of the column in the numbers
     */
    @Internal
    public void putNumber(byte[] numbers, int at, int column, int element, double value) {
        int whole = value > 0 ? 1 : 0;
        switch (columns.get(column).type()) {
            case FLOAT -> PackedNumbers.putFloat(numbers, at + 4 * element, (float) value);
            case DOUBLE -> PackedNumbers.putDouble(numbers, at + 8 * element, value);
            case INT32, BOOL -> PackedNumbers.putInt(numbers, at + 4 * element, whole);
            case INT64 -> PackedNumbers.putLong(numbers, at + 8 * element, whole);
            case STRING -> throw new IllegalArgumentException("a string is no number");
        }
    }

    /** The names and types in words, such as {@code amount float, card string}. */
    public String describe() {
        return columns.stream()
                .map(column -> column.name() + " " + column.describe())
                .collect(Collectors.joining(", "));
    }

    @Override
    public boolean equals(Object other) {
        return other == this || other instanceof ColumnLayout that && columns.equals(that.columns);
    }

    @Override
    public int hashCode() {
        return columns.hashCode();
    }

    @Override
    public String toString() {
        return columns.toString();
    }
}
