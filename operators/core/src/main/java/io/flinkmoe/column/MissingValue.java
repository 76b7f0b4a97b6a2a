// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import java.math.BigDecimal;
import org.apache.flink.annotation.Internal;

/**
 * What stands for a missing value of an input.
 *
 * @param isRejected whether the record is rejected
 * @param text the value of a string column
 * @param real the value of a float or double column
 * @param whole the value of an integer column; 1 or 0 for a bool column
 */
@Internal
record MissingValue(boolean isRejected, String text, double real, long whole) {

    private static final MissingValue REJECT = new MissingValue(true, null, 0, 0);

    /**
     * @throws IllegalArgumentException if the text is no value of the type
     */
    static MissingValue of(String name, ColumnType type, String missing) {
        if (missing == null || missing.equals(InputSpec.REJECT)) {
            return REJECT;
        }
        try {
            return switch (type) {
                case STRING -> new MissingValue(false, text(missing), 0, 0);
                case BOOL -> new MissingValue(false, null, 0, flag(missing));
                case INT32 -> whole(new BigDecimal(missing).intValueExact());
                case INT64 -> whole(new BigDecimal(missing).longValueExact());
                case FLOAT, DOUBLE -> new MissingValue(false, null, real(type, missing), 0);
            };
        } catch (ArithmeticException | NumberFormatException e) {
            throw new IllegalArgumentException(
                    "missing of %s is %s; allowed: reject, %s"
                            .formatted(name, missing, allowed(type)),
                    e);
        }
    }

    /** Who writes nan means what is no text. */
    private static String text(String text) {
        if (text.equals(InputSpec.NAN)) {
            throw new NumberFormatException();
        }
        return text;
    }

    private static MissingValue whole(long value) {
        return new MissingValue(false, null, 0, value);
    }

    private static long flag(String text) {
        return switch (text) {
            case "true" -> 1;
            case "false" -> 0;
            default -> throw new NumberFormatException();
        };
    }

    private static double real(ColumnType type, String text) {
        if (text.equals(InputSpec.NAN)) {
            return Double.NaN;
        }
        double value = new BigDecimal(text).doubleValue();
        if (!Double.isFinite(type == ColumnType.FLOAT ? (float) value : value)) {
            throw new NumberFormatException();
        }
        return value;
    }

    private static String allowed(ColumnType type) {
        return switch (type) {
            case STRING -> "or a text other than nan, since no text is NaN";
            case BOOL -> "true or false";
            case INT32, INT64 -> "or an integer of the type";
            case FLOAT, DOUBLE -> "nan, or a finite number of the type";
        };
    }
}
