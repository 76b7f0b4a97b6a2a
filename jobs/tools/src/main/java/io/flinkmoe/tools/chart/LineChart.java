// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.chart;

import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import org.apache.flink.annotation.Internal;

/**
 * A line chart.
 *
 * @param width in pixels
 * @param height in pixels
 */
@Internal
public record LineChart(String title, Axis x, Axis y, List<Series> series, int width, int height) {

    /** Lines with more points have no marks at their points. */
    private static final int MAX_MARKS = 40;

    public LineChart {
        series = List.copyOf(series);
    }

    public static LineChart of(String title, Axis x, Axis y, List<Series> series) {
        return new LineChart(title, x, y, series, 720, 360);
    }

    /** This chart with a size in pixels. */
    public LineChart size(int width, int height) {
        return new LineChart(title, x, y, series, width, height);
    }

    /**
     * The chart as one SVG element.
     *
     * @throws IllegalArgumentException if a value is not above 0 on a log axis
     */
    public String svg() {
        Axis xFitted = x.fitted(series.stream().flatMapToDouble(s -> Arrays.stream(s.x())), 0);
        Axis yFitted =
                y.fitted(
                        series.stream().flatMapToDouble(LineChart::extent),
                        Frame.marks(height - 80));
        Frame frame =
                new Frame(
                        new Frame.Canvas(title, width, height),
                        xFitted,
                        yFitted,
                        Frame.keys(series),
                        new Frame.RightMargin(8, ""));
        for (int i = 0; i < series.size(); i++) {
            draw(frame, series.get(i), Frame.colour(series, i), xFitted, yFitted);
        }
        return frame.svg.end();
    }

    private static void draw(Frame frame, Series series, String colour, Axis x, Axis y) {
        StringBuilder path = new StringBuilder();
        boolean gap = true;
        for (int i = 0; i < series.y().length; i++) {
            if (Double.isNaN(series.y()[i])) {
                gap = true;
                continue;
            }
            path.append(gap ? 'M' : 'L').append(Svg.length(frame.x(series.x()[i])));
            path.append(' ').append(Svg.length(frame.y(series.y()[i])));
            gap = false;
        }
        frame.svg.element(
                "path",
                "d",
                path,
                "fill",
                "none",
                "stroke",
                colour,
                "stroke-width",
                series.muted() ? 1.5 : 2.0,
                "stroke-linejoin",
                "round",
                "stroke-dasharray",
                series.muted() ? "5 4" : "none");
        for (int i = 0; i < series.y().length; i++) {
            if (series.low() != null) {
                frame.errorBar(frame.x(series.x()[i]), series.low()[i], series.high()[i], colour);
            }
            if (series.y().length <= MAX_MARKS && !series.muted() && !Double.isNaN(series.y()[i])) {
                frame.svg.explained(
                        "%s %s: %s"
                                .formatted(
                                        series.name(),
                                        x.exact(series.x()[i]),
                                        y.exact(series.y()[i]))
                                .strip(),
                        "circle",
                        "cx",
                        frame.x(series.x()[i]),
                        "cy",
                        frame.y(series.y()[i]),
                        "r",
                        3.5,
                        "fill",
                        colour,
                        "stroke",
                        "#ffffff");
            }
        }
    }

    /**
     * The values that the y axis must contain: points and error bars, except the ends of error bars
     * that a log axis cannot contain.
     */
    private static DoubleStream extent(Series series) {
        DoubleStream points = Arrays.stream(series.y());
        if (series.low() == null) {
            return points;
        }
        DoubleStream ends =
                DoubleStream.concat(Arrays.stream(series.low()), Arrays.stream(series.high()));
        boolean positive = Arrays.stream(series.y()).allMatch(value -> !(value <= 0));
        return DoubleStream.concat(points, positive ? ends.filter(end -> end > 0) : ends);
    }
}
