// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.chart;

import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * The points of one line, or one bar of each group.
 *
 * @param name the name in the legend; a series without a name is not in the legend
 * @param x [n]
 * @param y [n]; NaN is a gap
 * @param low [n], the lower ends of the error bars; or null
 * @param high [n], their upper ends; or null
 * @param muted whether the series is a baseline, drawn grey and dashed
 */
@Internal
public record Series(
        String name, double[] x, double[] y, double[] low, double[] high, boolean muted) {

    /**
     * @throws IllegalArgumentException if the arrays differ in length
     */
    public Series {
        if (x.length != y.length
                || low != null && low.length != y.length
                || high != null && high.length != y.length
                || (low == null) != (high == null)) {
            throw new IllegalArgumentException(
                    "series '%s': x, y, and low and high if given, must have the same length"
                            .formatted(name));
        }
        x = x.clone();
        y = y.clone();
        low = low == null ? null : low.clone();
        high = high == null ? null : high.clone();
    }

    public static Series of(String name, double[] x, double[] y) {
        return new Series(name, x, y, null, null, false);
    }

    /** A series for a bar chart, with a value per category. */
    public static Series of(String name, double[] y) {
        return of(name, IntStream.range(0, y.length).asDoubleStream().toArray(), y);
    }

    /** This series with error bars from low to high. These are values, not distances from y. */
    public Series withErrors(double[] low, double[] high) {
        return new Series(name, x, y, low, high, muted);
    }

    /** This series as a baseline, drawn grey and dashed. */
    public Series asBaseline() {
        return new Series(name, x, y, low, high, true);
    }
}
