package io.flinkmoe.tools.chart;

import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/** What all charts share: the title, the legend, both axes, and the plot's area between them. */
@Internal
final class Frame {

    /** An entry of the legend. */
    record Key(String name, String colour) {}

    private static final double MARGIN = 16;
    private static final double LINE = 19;
    private static final double SWATCH = 12;

    /** What a sloping name needs. */
    private static final double LEAST_SLOT = 22;

    /** The slope of names that do not fit side by side. */
    private static final double SLOPE = Math.toRadians(35);

    final Svg svg;
    final double left;
    final double top;
    final double right;
    final double bottom;
    private final Axis x;
    private final Axis y;

    /**
     * Draws all but the data.
     *
     * @param aside what is kept free at the right of the plot's area
     * @param note what stands there
     */
    Frame(
            String title,
            int width,
            int height,
            Axis x,
            Axis y,
            List<Key> keys,
            double aside,
            String note) {
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
        // Estimated: how many marks y has depends on the height, which sloping names change.
        double[] yTicks =
                y.ticks(y.isCategories() ? (int) ((height - top) / 14) : marks(height - top));
        double labels = MARGIN + widest(y, yTicks) + 8;
        right = width - MARGIN - aside;
        double room = right - labels;
        double[] xTicks = x.ticks((int) (room / (x.isCategories() ? LEAST_SLOT : 72)));
        double longest = widest(x, xTicks);
        boolean sloped = x.isCategories() && longest + 6 > room / xTicks.length;
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

    /** Categories go down, numbers go up. */
    double y(double value) {
        if (y.isCategories()) {
            return top + y.position(value) * (bottom - top);
        }
        return bottom - y.position(value) * (bottom - top);
    }

    /** How many marks a vertical axis has room for. */
    static int marks(double height) {
        return Math.max(2, (int) (height / 48));
    }

    /** The line of an error bar, with its ends. */
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

    /** The keys of what has a name, in the colours of its series. */
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
                String turn =
                        "rotate(-35 %s %s)"
                                .formatted(Svg.length(x(tick) + 4), Svg.length(bottom + 14));
                svg.text(x(tick) + 4, bottom + 14, "end", Svg.TEXT, text, "transform", turn);
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
