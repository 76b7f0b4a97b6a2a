// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import org.apache.flink.annotation.Internal;

/**
 * A measured value.
 *
 * @param key the name in JSON
 * @param label the name in tables
 * @param value the value; NaN if it does not apply
 * @param decimals the decimals in tables
 * @param mark the largest allowed value; NaN for none
 */
@Internal
record Figure(String key, String label, double value, int decimals, double mark) {

    static Figure of(String key, String label, double value, int decimals) {
        return new Figure(key, label, value, decimals, Double.NaN);
    }

    Figure atMost(double largest) {
        return new Figure(key, label, value, decimals, largest);
    }

    /** Whether the value exceeds its mark. */
    boolean isMissed() {
        return value > mark;
    }

    /** The value as text, with as many decimals as a table shows. */
    String text() {
        return Double.isNaN(value) ? "-" : format(value);
    }

    /** The mark as text, and whether it is met; empty if there is none. */
    String markText() {
        if (Double.isNaN(mark) || Double.isNaN(value)) {
            return "";
        }
        return "<= %s, %s".formatted(format(mark), isMissed() ? "MISSED" : "met");
    }

    private String format(double number) {
        return ("%,." + decimals + "f").formatted(number);
    }
}
