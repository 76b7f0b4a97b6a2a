package io.flinkmoe.tools.chart;

import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * The points of one line, or one bar of each group.
 *
 * @param name for the legend; empty: not there
 * @param x [n]
 * @param y [n]; NaN is a gap
 * @param low [n], the lower ends of the error bars; or null
 * @param high [n], their upper ends; or null
 * @param muted whether it is drawn grey and dashed, as what the others are compared with
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
                    "series '%s': x, y, and low and high if given, must be of one length"
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

    /** For a bar chart: a value per category. */
    public static Series of(String name, double[] y) {
        return of(name, IntStream.range(0, y.length).asDoubleStream().toArray(), y);
    }

    /** With error bars, from low to high (not their distances from y). */
    public Series withErrors(double[] low, double[] high) {
        return new Series(name, x, y, low, high, muted);
    }

    /** Drawn grey and dashed. */
    public Series asBaseline() {
        return new Series(name, x, y, low, high, true);
    }
}
