package io.flinkmoe.tools.chart;

import java.math.BigDecimal;
import java.math.RoundingMode;
import org.apache.flink.annotation.Internal;

/** Writes one SVG image, which needs nothing outside itself: elements in order, text escaped. */
@Internal
public final class Svg {

    static final String TITLE = "#1f2937";
    static final String TEXT = "#4b5563";
    static final String LINE = "#9ca3af";
    static final String GRID = "#e7e9ed";

    /** Of the labels; the title is larger. In pixels, as all lengths here. */
    static final double FONT_SIZE = 12;

    private static final double MEAN_LETTER = 0.56 * FONT_SIZE;

    private final StringBuilder out = new StringBuilder();

    Svg(int width, int height, String title) {
        out.append(
                ("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\""
                                + " height=\"%d\" role=\"img\" font-size=\"12\" font-family=\""
                                + "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial,"
                                + " 'Liberation Sans', 'DejaVu Sans', sans-serif\">\n")
                        .formatted(width, height, width, height));
        out.append("<title>").append(escape(title)).append("</title>\n");
        element("rect", "width", width, "height", height, "rx", 8, "fill", "#ffffff");
    }

    /** An element without content; attributes are name, value, name, value. */
    Svg element(String name, Object... attributes) {
        open(name, attributes);
        out.append("/>\n");
        return this;
    }

    /** An element that shows a text while the pointer is over it. */
    Svg explained(String explanation, String name, Object... attributes) {
        open(name, attributes);
        out.append("><title>").append(escape(explanation)).append("</title></");
        out.append(name).append(">\n");
        return this;
    }

    /**
     * Text on a line.
     *
     * @param anchor which part of it is at x: start, middle, end
     */
    Svg text(double x, double y, String anchor, String colour, String text, Object... attributes) {
        open("text", "x", x, "y", y, "text-anchor", anchor, "fill", colour);
        append(attributes);
        out.append('>').append(escape(text)).append("</text>\n");
        return this;
    }

    Svg line(double x1, double y1, double x2, double y2, String colour) {
        return element("line", "x1", x1, "y1", y1, "x2", x2, "y2", y2, "stroke", colour);
    }

    /** The image; nothing may be added afterwards. */
    String end() {
        return out.append("</svg>\n").toString();
    }

    /** About how wide a text of the labels' size is, whatever the font: rather too wide. */
    static double widthOf(String text) {
        return MEAN_LETTER * text.length();
    }

    /** A length with a digit after the point at most. */
    static String length(double value) {
        return BigDecimal.valueOf(value)
                .setScale(1, RoundingMode.HALF_UP)
                .stripTrailingZeros()
                .toPlainString();
    }

    /**
     * Text as XML takes it, in content and in attributes. Characters that XML bans are left out.
     */
    public static String escape(String text) {
        StringBuilder escaped = new StringBuilder();
        text.codePoints()
                .filter(c -> c >= ' ' && c != 0xFFFE && c != 0xFFFF && (c < 0xD800 || c > 0xDFFF))
                .forEach(
                        c -> {
                            switch (c) {
                                case '&' -> escaped.append("&amp;");
                                case '<' -> escaped.append("&lt;");
                                case '>' -> escaped.append("&gt;");
                                case '"' -> escaped.append("&quot;");
                                default -> escaped.appendCodePoint(c);
                            }
                        });
        return escaped.toString();
    }

    private void open(String name, Object... attributes) {
        out.append('<').append(name);
        append(attributes);
    }

    private void append(Object... attributes) {
        for (int i = 0; i < attributes.length; i += 2) {
            Object value = attributes[i + 1];
            out.append(' ').append(attributes[i]).append("=\"");
            out.append(value instanceof Double d ? length(d) : escape(value.toString()));
            out.append('"');
        }
    }
}
