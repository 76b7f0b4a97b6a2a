// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/** The type of a column's values. */
@PublicEvolving
public enum ColumnType {
    /** IEEE 754, 32 bits. */
    FLOAT(1),
    /** IEEE 754, 64 bits. */
    DOUBLE(2),
    /** Signed, 32 bits. */
    INT32(1),
    /** Signed, 64 bits. */
    INT64(2),
    /** True or false. */
    BOOL(1),
    /** Text. */
    STRING(0);

    private final int words;

    ColumnType(int words) {
        this.words = words;
    }

    /** The 4-byte words of a number in a packed row; 0 for strings, which stand beside it. */
    public int words() {
        return words;
    }

    /** The type in words, such as {@code float}. */
    String describe() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Whether values have a fraction. */
    public boolean isReal() {
        return this == FLOAT || this == DOUBLE;
    }

    /** Whether values are numbers: neither bools nor texts. */
    boolean isNumber() {
        return this != BOOL && this != STRING;
    }

    /** The bytes of a number, or 1: a string is one entry beside the numbers. */
    int stride() {
        return Math.max(1, words * Integer.BYTES);
    }
}
