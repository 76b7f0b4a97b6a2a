// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.tools.chart.Svg;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** Writes one self-contained HTML page without scripts. It is well-formed XML. */
@Internal
final class HtmlPage {

    private static final String STYLE =
            """
            :root { color-scheme: light; }
            * { box-sizing: border-box; }
            body { margin: 0; background: #f3f4f6; color: #1f2937; font: 15px/1.5 system-ui,
              'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif; }
            main { max-width: 1240px; margin: 0 auto; padding: 36px 24px 56px; }
            h1 { font-size: 27px; line-height: 1.25; margin: 0; letter-spacing: -0.01em; }
            h2 { font-size: 19px; margin: 38px 0 2px; }
            p { margin: 4px 0 0; color: #4b5563; max-width: 115ch; }
            code { display: inline-block; margin-top: 6px; padding: 3px 9px; border-radius: 6px;
              background: #e8eaee; overflow-wrap: anywhere; font: 13px ui-monospace, 'SF Mono', Menlo, 'Liberation Mono', 'DejaVu Sans Mono', monospace; }
            .status { display: inline-block; margin: 16px 0 0; padding: 5px 13px; border-radius: 7px;
              background: #e3efe4; color: #1d5a28; font-weight: 600; }
            .status.bad { background: #f9e2dc; color: #8a2a12; }
            .tiles, .grid { display: grid; gap: 16px; margin-top: 16px; }
            .tiles { grid-template-columns: repeat(auto-fit, minmax(175px, 1fr)); }
            .grid { grid-template-columns: repeat(2, minmax(0, 1fr)); }
            .tile, figure, .card { background: #fff; border: 1px solid #e3e5e9; border-radius: 10px;
              margin: 0; min-width: 0; }
            .tile { padding: 12px 16px; }
            .tile b { display: block; font-size: 25px; line-height: 1.3; font-variant-numeric: tabular-nums; }
            .tile span { display: block; color: #4b5563; font-size: 13px; }
            .wide { grid-column: 1 / -1; }
            figure svg { display: block; width: 100%; height: auto; }
            figcaption { padding: 0 16px 14px; color: #4b5563; font-size: 13px; }
            .card { padding: 14px 16px; overflow-x: auto; }
            .card h3 { font-size: 15px; margin: 0 0 8px; }
            table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
            th { text-align: left; font-weight: 600; color: #4b5563; }
            th, td { padding: 5px 14px 5px 0; border-bottom: 1px solid #edeef1; vertical-align: top; }
            tr:last-child td { border-bottom: 0; }
            th:last-child, td:last-child { padding-right: 0; }
            .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
            .key { white-space: nowrap; }
            td { overflow-wrap: anywhere; }
            @media (max-width: 860px) { .grid { grid-template-columns: minmax(0, 1fr); } }
            @media print { body { background: #fff; } figure, .card, .tile { break-inside: avoid; } }
            """;

    private final StringBuilder out = new StringBuilder();
    private boolean inGrid;

    HtmlPage(String title) {
        out.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
        out.append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
        element("title", "", title);
        out.append("<style>\n").append(STYLE).append("</style>\n</head>\n<body>\n<main>\n");
        element("h1", "", title);
    }

    HtmlPage paragraph(String text) {
        return element("p", "", text);
    }

    /** A command line. */
    HtmlPage code(String text) {
        return element("code", "", text);
    }

    /** The status of the run. */
    HtmlPage status(boolean good, String text) {
        out.append("<div>");
        element("span", good ? "status" : "status bad", text);
        out.append("</div>\n");
        return this;
    }

    /** The most important figures, each with a name, a value and a note. */
    HtmlPage tiles(List<List<String>> tiles) {
        out.append("<div class=\"tiles\">\n");
        for (List<String> tile : tiles) {
            out.append("<div class=\"tile\">");
            element("span", "", tile.get(0));
            element("b", "", tile.get(1));
            element("span", "", tile.get(2));
            out.append("</div>\n");
        }
        out.append("</div>\n");
        return this;
    }

    /** Begins a section. Its charts and tables are arranged in two columns. */
    HtmlPage section(String heading, String text) {
        endGrid();
        element("h2", "", heading);
        element("p", "", text);
        out.append("<div class=\"grid\">\n");
        inGrid = true;
        return this;
    }

    /**
     * @param svg a complete SVG element
     * @param wide whether it has the width of the page
     */
    HtmlPage chart(String id, String svg, String caption, boolean wide) {
        out.append("<figure id=\"").append(id).append(wide ? "\" class=\"wide\">\n" : "\">\n");
        out.append(svg);
        if (!caption.isEmpty()) {
            element("figcaption", "", caption);
        }
        out.append("</figure>\n");
        return this;
    }

    /**
     * @param columns the names of the columns; a name that begins with {@code >} aligns its column
     *     to the right
     */
    HtmlPage table(String id, String heading, List<String> columns, List<List<String>> rows) {
        out.append("<div class=\"card\" id=\"").append(id).append("\">\n");
        element("h3", "", heading);
        out.append("<table>\n");
        if (columns.stream().anyMatch(name -> name.length() > 1)) {
            row("th", columns, columns.stream().map(name -> name.replace(">", "")).toList());
        }
        rows.forEach(cells -> row("td", columns, cells));
        out.append("</table>\n</div>\n");
        return this;
    }

    /** Completes the page. Nothing can be added afterwards. */
    String end() {
        endGrid();
        return out.append("</main>\n</body>\n</html>\n").toString();
    }

    private void row(String kind, List<String> columns, List<String> cells) {
        out.append("<tr>");
        for (int i = 0; i < cells.size(); i++) {
            element(
                    kind,
                    columns.get(i).startsWith(">") ? "number" : i == 0 ? "key" : "",
                    cells.get(i));
        }
        out.append("</tr>\n");
    }

    private HtmlPage element(String name, String style, String text) {
        out.append('<').append(name);
        if (!style.isEmpty()) {
            out.append(" class=\"").append(style).append('"');
        }
        out.append('>').append(Svg.escape(text));
        out.append("</").append(name).append(">\n");
        return this;
    }

    private void endGrid() {
        if (inGrid) {
            out.append("</div>\n");
        }
        inGrid = false;
    }
}
