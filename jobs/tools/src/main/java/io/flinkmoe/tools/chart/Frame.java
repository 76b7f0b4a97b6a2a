// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.chart;

import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * The common parts of all charts: the title, the legend, both axes, and the plot area between them.
 */
@Internal
final class Frame {

    /** An entry of the legend. */
    record Key(String name, String colour) {}

    private static final double MARGIN = 16;
    private static final double LINE = 19;
    private static final double SWATCH = 12;

    /** The minimum width of a category with a sloped name. */
    private static final double MIN_SLOT = 22;

    /** The slope of names that do not fit side by side. */
    private static final double SLOPE = Math.toRadians(35);

    final Svg svg;
    final double left;
    final double top;
    final double right;
    final double bottom;
    private final Axis x;
    private final Axis y;

    /** The size of the whole picture and its title; no title if empty. */
    record Canvas(String title, int width, int height) {}

    /** Free space at the right of the plot area, in pixels, and the note above it. */
    record RightMargin(double width, String note) {}

    /** Draws everything but the data. */
    Frame(Canvas canvas, Axis x, Axis y, List<Key> keys, RightMargin rightMargin) {
        String title = canvas.title();
        int width = canvas.width();
        int height = canvas.height();
        String note = rightMargin.note();
        svg = new Svg(width, height, title);
        this.x = x;
        this.y = y;
        double line = MARGIN;
        if (!title.isEmpty()) {
            line += LINE;
            svg.text(
                    MARGIN,
                    line - 5,
                    "start",
                    Svg.TITLE,
                    title,
                    "font-size",
                    15,
                    "font-weight",
                    600);
            line += 6;
        }
        line = legend(keys, line, width - MARGIN);
        if (!y.label().isEmpty() || !note.isEmpty()) {
            line += LINE;
            svg.text(MARGIN, line - 6, "start", Svg.TEXT, y.label());
            svg.text(width - MARGIN, line - 6, "end", Svg.TEXT, note);
        }
        top = line + 8;
        // An estimate: the number of y ticks depends on the height, which sloped names reduce.
        double[] yTicks =
                y.ticks(y.isCategories() ? (int) ((height - top) / 14) : marks(height - top));
        double labels = MARGIN + widest(y, yTicks) + 8;
        right = width - MARGIN - rightMargin.width();
        double available = right - labels;
        double[] xTicks = x.ticks((int) (available / (x.isCategories() ? MIN_SLOT : 72)));
        double longest = widest(x, xTicks);
        boolean sloped = x.isCategories() && longest + 6 > available / xTicks.length;
        left = sloped ? Math.max(labels, longest * Math.cos(SLOPE)) : labels;
        double names = sloped ? longest * Math.sin(SLOPE) + 12 : LINE + 2;
        bottom = height - MARGIN + 4 - names - (x.label().isEmpty() ? 0 : LINE);
        yAxis(yTicks);
        xAxis(xTicks, sloped);
        if (!x.label().isEmpty()) {
            svg.text((left + right) / 2, height - MARGIN, "middle", Svg.TEXT, x.label());
        }
    }

    double x(double value) {
        return left + x.position(value) * (right - left);
    }

    /** The y coordinate of a value. Categories run downwards, numbers run upwards. */
    double y(double value) {
        if (y.isCategories()) {
            return top + y.position(value) * (bottom - top);
        }
        return bottom - y.position(value) * (bottom - top);
    }

    /** The number of ticks that fit a vertical axis. */
    static int marks(double height) {
        return Math.max(2, (int) (height / 48));
    }

    /** Draws an error bar. */
    void errorBar(double x, double low, double high, String colour) {
        if (Double.isNaN(low) || Double.isNaN(high)) {
            return;
        }
        double from = y(Math.max(low, y.min()));
        double to = y(high);
        svg.line(x, from, x, to, colour);
        svg.line(x - 3, from, x + 3, from, colour);
        svg.line(x - 3, to, x + 3, to, colour);
    }

    /** The legend entries of all series with a name. */
    static List<Key> keys(List<Series> series) {
        return IntStream.range(0, series.size())
                .filter(i -> !series.get(i).name().isEmpty())
                .mapToObj(i -> new Key(series.get(i).name(), colour(series, i)))
                .toList();
    }

    static String colour(List<Series> series, int index) {
        return series.get(index).muted() ? Palette.MUTED : Palette.series(index);
    }

    private double legend(List<Key> keys, double line, double end) {
        double at = MARGIN;
        double baseline = line + LINE - 6;
        for (Key key : keys) {
            double width = SWATCH + 6 + Svg.widthOf(key.name()) + 18;
            if (at > MARGIN && at + width > end) {
                at = MARGIN;
                baseline += LINE;
            }
            svg.element(
                    "rect",
                    "x",
                    at,
                    "y",
                    baseline - 9,
                    "width",
                    SWATCH,
                    "height",
                    10.0,
                    "rx",
                    2,
                    "fill",
                    key.colour());
            svg.text(at + SWATCH + 6, baseline, "start", Svg.TEXT, key.name());
            at += width;
        }
        return keys.isEmpty() ? line : baseline + 6;
    }

    private void yAxis(double[] ticks) {
        for (double tick : ticks) {
            if (!y.isCategories()) {
                svg.line(left, y(tick), right, y(tick), Svg.GRID);
            }
            svg.text(left - 8, y(tick) + 4, "end", Svg.TEXT, y.text(tick, ticks));
        }
    }

    private void xAxis(double[] ticks, boolean sloped) {
        svg.line(left, bottom, right, bottom, Svg.LINE);
        for (double tick : ticks) {
            String text = x.text(tick, ticks);
            if (!x.isCategories()) {
                svg.line(x(tick), bottom, x(tick), bottom + 4, Svg.LINE);
            }
            if (sloped) {
                String rotation =
                        "rotate(-35 %s %s)"
                                .formatted(Svg.length(x(tick) + 4), Svg.length(bottom + 14));
                svg.text(x(tick) + 4, bottom + 14, "end", Svg.TEXT, text, "transform", rotation);
            } else {
                svg.text(x(tick), bottom + 19, "middle", Svg.TEXT, text);
            }
        }
    }

    private static double widest(Axis axis, double[] ticks) {
        double widest = 0;
        for (double tick : ticks) {
            widest = Math.max(widest, Svg.widthOf(axis.text(tick, ticks)));
        }
        return widest;
    }
}
