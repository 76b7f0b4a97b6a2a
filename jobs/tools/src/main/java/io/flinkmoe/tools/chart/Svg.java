// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.chart;

import java.math.BigDecimal;
import java.math.RoundingMode;
import org.apache.flink.annotation.Internal;

/** Writes one self-contained SVG image: elements in order, with escaped text. */
@Internal
public final class Svg {

    static final String TITLE = "#1f2937";
    static final String TEXT = "#4b5563";
    static final String LINE = "#9ca3af";
    static final String GRID = "#e7e9ed";

    /** The font size of labels, in pixels like all lengths here. The title is larger. */
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

    /** An element with a tooltip. */
    Svg explained(String explanation, String name, Object... attributes) {
        open(name, attributes);
        out.append("><title>").append(escape(explanation)).append("</title></");
        out.append(name).append(">\n");
        return this;
    }

    /**
     * Text on a line.
     *
     * @param anchor which part of the text is at x: start, middle or end
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

    /** Completes the image. Nothing can be added afterwards. */
    String end() {
        return out.append("</svg>\n").toString();
    }

    /** The approximate width of a label, rather too wide than too narrow. */
    static double widthOf(String text) {
        return MEAN_LETTER * text.length();
    }

    /** Formats a length with at most one decimal. */
    static String length(double value) {
        return BigDecimal.valueOf(value)
                .setScale(1, RoundingMode.HALF_UP)
                .stripTrailingZeros()
                .toPlainString();
    }

    /**
     * Escapes text for the content and the attributes of XML. Characters that XML does not allow
     * are omitted.
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
