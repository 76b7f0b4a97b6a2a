// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import org.apache.flink.annotation.Internal;

/** Says why a value is none that its column can have. */
@Internal
final class ColumnProblems {

    private static final int MAX_SHOWN = 60;

    private ColumnProblems() {}

    static String unknown(String name, ColumnLayout layout) {
        return "%s is not an input of the model; its inputs are %s"
                .formatted(shorten(name), layout.describe());
    }

    /**
     * @param length the number of values, or {@link TypedValuesBuilder#NO_VECTOR}
     */
    static String length(Column column, int length) {
        String found =
                length == TypedValuesBuilder.NO_VECTOR
                        ? "one value"
                        : "%d values".formatted(length);
        return "%s has %s; the model takes %s".formatted(column.name(), found, takes(column));
    }

    static String missing(Column column, int element) {
        return place(column, element) + " is missing";
    }

    static String notFinite(Column column, int element, double value) {
        return "%s is %s; only finite values are allowed".formatted(place(column, element), value);
    }

    /**
     * @param value finite, but not as the column's type
     */
    static String tooLarge(Column column, int element, Number value) {
        return "%s is %s, which is too large for %s"
                .formatted(place(column, element), shorten(value.toString()), type(column));
    }

    static String inexact(Column column, int element, Number value) {
        return "%s is %s, which is not exactly %s"
                .formatted(place(column, element), shorten(value.toString()), type(column));
    }

    /**
     * @param kind what the value is instead
     */
    static String mismatch(Column column, int element, Object value, String kind) {
        return "%s is %s, %s; the model takes %s"
                .formatted(place(column, element), shorten(value.toString()), kind, type(column));
    }

    private static String place(Column column, int element) {
        return column.width() == null ? column.name() : "%s[%d]".formatted(column.name(), element);
    }

    /** The type of one value. */
    private static String type(Column column) {
        return "the type " + column.type().describe();
    }

    private static String takes(Column column) {
        return "the type " + column.describe();
    }

    private static String shorten(String text) {
        return text.length() <= MAX_SHOWN ? text : text.substring(0, MAX_SHOWN) + "...";
    }
}
