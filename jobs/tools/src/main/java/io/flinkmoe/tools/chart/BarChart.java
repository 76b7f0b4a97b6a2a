// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.chart;

import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import org.apache.flink.annotation.Internal;

/**
 * A bar chart with one group per category, and one bar per series in each group.
 *
 * @param x the categories
 * @param width in pixels
 * @param height in pixels
 */
@Internal
public record BarChart(String title, Axis x, Axis y, List<Series> series, int width, int height) {

    /** The share of a category's width that its bars fill. */
    private static final double FILLED = 0.76;

    /**
     * @throws IllegalArgumentException if x has no categories, or if their number differs from the
     *     number of values
     */
    public BarChart {
        series = List.copyOf(series);
        if (!x.isCategories()) {
            throw new IllegalArgumentException("the x axis of a bar chart must have categories");
        }
        int groups = x.ticks(Integer.MAX_VALUE).length;
        for (Series bars : series) {
            if (bars.y().length != groups) {
                throw new IllegalArgumentException(
                        "series '%s' has %d values for %d categories"
                                .formatted(bars.name(), bars.y().length, groups));
            }
        }
    }

    /**
     * @param x from {@link Axis#categories}
     */
    public static BarChart of(String title, Axis x, Axis y, List<Series> series) {
        return new BarChart(title, x, y, series, 720, 360);
    }

    /** This chart with a size in pixels. */
    public BarChart size(int width, int height) {
        return new BarChart(title, x, y, series, width, height);
    }

    /**
     * The chart as one SVG element. Bars start at 0, or at the lower end of a log axis.
     *
     * @throws IllegalArgumentException if a value is not above 0 on a log axis
     */
    public String svg() {
        DoubleStream values =
                series.stream()
                        .flatMapToDouble(
                                s ->
                                        s.high() == null
                                                ? Arrays.stream(s.y())
                                                : DoubleStream.concat(
                                                        Arrays.stream(s.y()),
                                                        Arrays.stream(s.high())));
        if (!y.isLog()) {
            values = DoubleStream.concat(values, DoubleStream.of(0));
        }
        Axis yFitted = y.fitted(values, Frame.marks(height - 80));
        Frame frame =
                new Frame(
                        new Frame.Canvas(title, width, height),
                        x,
                        yFitted,
                        Frame.keys(series),
                        new Frame.RightMargin(8, ""));
        double base = frame.y(yFitted.isLog() ? yFitted.min() : Math.max(0, yFitted.min()));
        double slot = frame.x(1) - frame.x(0);
        double bar = slot * FILLED / Math.max(1, series.size());
        for (int s = 0; s < series.size(); s++) {
            Series bars = series.get(s);
            for (int i = 0; i < bars.y().length; i++) {
                if (Double.isNaN(bars.y()[i])) {
                    continue;
                }
                double at = frame.x(i) - slot * FILLED / 2 + s * bar;
                double end = frame.y(bars.y()[i]);
                frame.svg.explained(
                        "%s, %s: %s".formatted(x.exact(i), bars.name(), yFitted.exact(bars.y()[i])),
                        "rect",
                        "x",
                        at,
                        "y",
                        Math.min(base, end),
                        "width",
                        Math.max(1, bar - (bar > 6 ? 1.5 : 0)),
                        "height",
                        Math.abs(base - end),
                        "fill",
                        Frame.colour(series, s));
                if (bars.low() != null) {
                    frame.errorBar(at + bar / 2, bars.low()[i], bars.high()[i], Svg.TITLE);
                }
            }
        }
        return frame.svg.end();
    }
}
