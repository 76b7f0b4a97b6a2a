// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.chart;

import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * A heat map: a coloured cell per row and column, and a colour scale.
 *
 * @param x the columns: categories, or a range that the columns divide evenly
 * @param rows the names of the rows, from top to bottom
 * @param scale the scale of the values
 * @param values [rows, columns]; NaN means no value
 * @param width in pixels
 * @param height in pixels
 */
@Internal
public record HeatMap(
        String title, Axis x, Axis rows, Axis scale, double[][] values, int width, int height) {

    private static final double BAR = 12;
    private static final int BAR_STEPS = 48;

    /** Cells of at least this width show their value. */
    private static final double READABLE = 44;

    public HeatMap {
        values = Arrays.stream(values).map(double[]::clone).toArray(double[][]::new);
    }

    /**
     * @param label what the rows are
     * @throws IllegalArgumentException if there is not one row of values per name, if the rows
     *     differ in length, or if x has no range
     */
    public static HeatMap of(
            String title, Axis x, String label, List<String> rows, Axis scale, double[][] values) {
        boolean even = Arrays.stream(values).mapToInt(row -> row.length).distinct().count() == 1;
        if (values.length != rows.size() || !even || Double.isNaN(x.min())) {
            throw new IllegalArgumentException(
                    ("a heat map needs a row of values for each of its %d names, rows of"
                                            + " the same length,")
                                    .formatted(rows.size())
                            + " and columns with a range");
        }
        return new HeatMap(title, x, Axis.categories(label, rows), scale, values, 720, 360);
    }

    /** This chart with a size in pixels. */
    public HeatMap size(int width, int height) {
        return new HeatMap(title, x, rows, scale, values, width, height);
    }

    /**
     * The chart as one SVG element.
     *
     * @throws IllegalArgumentException if a value is not above 0 on a log scale
     */
    public String svg() {
        int marks = Frame.marks(height - 80);
        Axis fitted = scale.fitted(Arrays.stream(values).flatMapToDouble(Arrays::stream), marks);
        double[] ticks = fitted.ticks(marks);
        double labels =
                Arrays.stream(ticks).map(t -> Svg.widthOf(fitted.text(t, ticks))).max().orElse(0);
        double aside = 14 + BAR + 6 + labels;
        Frame frame =
                new Frame(
                        new Frame.Canvas(title, width, height),
                        x,
                        rows,
                        List.of(),
                        new Frame.RightMargin(aside, fitted.label()));
        cells(frame, fitted);
        bar(frame, fitted, ticks);
        return frame.svg.end();
    }

    private void cells(Frame frame, Axis fitted) {
        double w = (frame.right - frame.left) / values[0].length;
        double h = (frame.bottom - frame.top) / values.length;
        frame.svg.element(
                "rect",
                "x",
                frame.left,
                "y",
                frame.top,
                "width",
                frame.right - frame.left,
                "height",
                frame.bottom - frame.top,
                "fill",
                Palette.NO_VALUE);
        for (int row = 0; row < values.length; row++) {
            double y = frame.top + row * h;
            for (int column = 0; column < values[row].length; column++) {
                double value = values[row][column];
                if (Double.isNaN(value)) {
                    continue;
                }
                double place = fitted.position(value);
                double x = frame.left + column * w;
                double at = column + (this.x.isCategories() ? 0.5 : 0);
                // Slightly wider, so that no gaps between cells are visible.
                double overlap = column + 1 < values[row].length ? 1 : 0;
                frame.svg.explained(
                        "%s, %s: %s"
                                .formatted(
                                        rows.exact(row),
                                        this.x.exact(this.x.at(at / values[row].length)),
                                        fitted.exact(value)),
                        "rect",
                        "x",
                        x,
                        "y",
                        y,
                        "width",
                        w + overlap,
                        "height",
                        h - 1,
                        "fill",
                        Palette.scale(place));
                if (w >= READABLE && h >= Svg.FONT_SIZE + 4) {
                    frame.svg.text(
                            x + w / 2,
                            y + h / 2 + 4,
                            "middle",
                            place > 0.5 ? "#ffffff" : Svg.TITLE,
                            Axis.number(value),
                            "pointer-events",
                            "none");
                }
            }
        }
    }

    private void bar(Frame frame, Axis fitted, double[] ticks) {
        double x = frame.right + 14;
        double step = (frame.bottom - frame.top) / BAR_STEPS;
        for (int i = 0; i < BAR_STEPS; i++) {
            frame.svg.element(
                    "rect",
                    "x",
                    x,
                    "y",
                    frame.bottom - (i + 1) * step,
                    "width",
                    BAR,
                    "height",
                    step + 0.5,
                    "fill",
                    Palette.scale((i + 0.5) / BAR_STEPS));
        }
        for (double tick : ticks) {
            double y = frame.bottom - fitted.position(tick) * (frame.bottom - frame.top);
            frame.svg.text(x + BAR + 6, y + 4, "start", Svg.TEXT, fitted.text(tick, ticks));
        }
    }
}
