// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import java.math.BigDecimal;
import java.math.BigInteger;
import org.apache.flink.annotation.Internal;

/** Whether integers are values of a type without rounding. */
@Internal
final class Exact {

    private Exact() {}

    /** Whether a column of numbers can hold an integer. */
    static boolean isWhole(ColumnType type, long value) {
        return switch (type) {
            case FLOAT -> (long) (float) value == value && value != Long.MAX_VALUE;
            case DOUBLE -> (long) (double) value == value && value != Long.MAX_VALUE;
            case INT32 -> (int) value == value;
            case INT64 -> true;
            case BOOL, STRING -> false;
        };
    }

    /** Whether a column of reals can hold an integer of any size. */
    static boolean isReal(ColumnType type, BigInteger value) {
        double stored = type == ColumnType.FLOAT ? value.floatValue() : value.doubleValue();
        return Double.isFinite(stored)
                && new BigDecimal(stored).compareTo(new BigDecimal(value)) == 0;
    }
}
