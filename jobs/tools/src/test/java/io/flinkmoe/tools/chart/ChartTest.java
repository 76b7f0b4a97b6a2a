// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.chart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

class ChartTest {

    private static final double[] ONE_TO_FOUR = {1, 2, 3, 4};

    @Test
    void linesRunThroughTheirPoints() throws Exception {
        Element svg =
                parsed(
                        LineChart.of(
                                        "Lines",
                                        Axis.linear("x"),
                                        Axis.linear("y"),
                                        List.of(
                                                Series.of(
                                                        "up",
                                                        ONE_TO_FOUR,
                                                        new double[] {0, 5, 5, 10}),
                                                Series.of(
                                                        "gap",
                                                        ONE_TO_FOUR,
                                                        new double[] {1, Double.NaN, 2, 3})))
                                .svg());

        List<Element> circles = all(svg, "circle", circle -> true);
        assertThat(circles).hasSize(7);
        assertThat(attribute(circles.get(1), "cy")).isEqualTo(attribute(circles.get(2), "cy"));
        assertThat(attribute(circles.get(1), "cy"))
                .isCloseTo(
                        (attribute(circles.get(0), "cy") + attribute(circles.get(3), "cy")) / 2,
                        within(0.11));
        assertThat(attribute(circles.get(1), "cx") - attribute(circles.get(0), "cx"))
                .isCloseTo(
                        attribute(circles.get(3), "cx") - attribute(circles.get(2), "cx"),
                        within(0.11));
        List<Element> paths = all(svg, "path", path -> true);
        assertThat(paths.get(0).getAttribute("d")).containsOnlyOnce("M").contains("L");
        assertThat(paths.get(1).getAttribute("d").split("M")).hasSize(3);
        assertThat(texts(svg)).contains("Lines", "x", "y", "up", "gap", "10", "up 4: 10");
    }

    @Test
    void errorBarsReachFromLowToHighAndBelongToTheRange() throws Exception {
        Element svg =
                parsed(
                        LineChart.of(
                                        "",
                                        Axis.linear(""),
                                        Axis.linear("").range(0, 10),
                                        List.of(
                                                Series.of(
                                                                "",
                                                                new double[] {1, 2},
                                                                new double[] {5, 5})
                                                        .withErrors(
                                                                new double[] {0, 5},
                                                                new double[] {10, 5})))
                                .svg());
        Element bar =
                all(
                                svg,
                                "line",
                                line ->
                                        line.getAttribute("x1").equals(line.getAttribute("x2"))
                                                && !line.getAttribute("stroke").equals(Svg.LINE))
                        .get(0);
        double middle = attribute(all(svg, "circle", circle -> true).get(0), "cy");

        assertThat(attribute(bar, "y1") - middle)
                .isCloseTo(middle - attribute(bar, "y2"), within(0.2));
        assertThat(attribute(bar, "y1")).isGreaterThan(middle + 50);
    }

    @Test
    void barsAreAsHighAsTheirValues() throws Exception {
        Element svg =
                parsed(
                        BarChart.of(
                                        "",
                                        Axis.categories("", List.of("a", "b", "c", "d")),
                                        Axis.linear(""),
                                        List.of(Series.of("n", ONE_TO_FOUR)))
                                .svg());
        List<Element> bars = explained(svg, "rect");

        assertThat(bars).hasSize(4);
        for (int i = 0; i < 4; i++) {
            assertThat(attribute(bars.get(i), "height") / attribute(bars.get(0), "height"))
                    .isCloseTo(i + 1, within(0.01));
        }
        assertThat(bars.get(3).getTextContent()).isEqualTo("d, n: 4");
    }

    @Test
    void barsNeedAValuePerCategory() {
        assertThatThrownBy(
                        () ->
                                BarChart.of(
                                        "",
                                        Axis.categories("", List.of("a")),
                                        Axis.linear(""),
                                        List.of(Series.of("n", ONE_TO_FOUR))))
                .hasMessage("series 'n' has 4 values for 1 categories");
    }

    @Test
    void heatMapHasACellPerValueDarkerForMore() throws Exception {
        double[][] values = {{0, 1, 2}, {3, Double.NaN, 4}};
        Element svg =
                parsed(
                        HeatMap.of(
                                        "Heat",
                                        Axis.categories("column", List.of("a", "b", "c")),
                                        "row",
                                        List.of("r0", "r1"),
                                        Axis.linear("n"),
                                        values)
                                .svg());
        List<Element> cells = explained(svg, "rect");

        assertThat(cells.stream().map(Element::getTextContent))
                .containsExactly("r0, a: 0", "r0, b: 1", "r0, c: 2", "r1, a: 3", "r1, c: 4");
        assertThat(cells.stream().mapToInt(cell -> brightness(cell.getAttribute("fill"))).toArray())
                .isSortedAccordingTo((a, b) -> Integer.compare(b, a));
        assertThat(attribute(cells.get(3), "y")).isGreaterThan(attribute(cells.get(0), "y"));
        assertThat(texts(svg)).contains("Heat", "row", "column", "r0", "r1", "n");
    }

    @Test
    void heatMapNeedsARowOfValuesPerName() {
        assertThatThrownBy(
                        () ->
                                HeatMap.of(
                                        "",
                                        Axis.linear("").range(0, 1),
                                        "",
                                        List.of("a", "b"),
                                        Axis.linear(""),
                                        new double[][] {{1}}))
                .hasMessageContaining("a row of values for each of its 2 names");
    }

    @Test
    void everythingStaysInsideOfTheImage() throws Exception {
        List<String> names =
                IntStream.range(0, 30).mapToObj(i -> "a rather long name " + i).toList();
        Element svg =
                parsed(
                        BarChart.of(
                                        "Bars",
                                        Axis.categories("names", names),
                                        Axis.linear("a unit"),
                                        IntStream.range(0, 12)
                                                .mapToObj(
                                                        i ->
                                                                Series.of(
                                                                        "series " + i,
                                                                        new double[30]))
                                                .toList())
                                .size(640, 400)
                                .svg());

        for (Element text : all(svg, "text", text -> true)) {
            assertThat(attribute(text, "x")).isBetween(0.0, 640.0);
            assertThat(attribute(text, "y")).isBetween(10.0, 400.0);
        }
    }

    @Test
    void textIsEscaped() throws Exception {
        String title = "a < b & \"c\" > d' \u0000\uD800 \uD83D\uDE00";
        Element svg =
                parsed(
                        LineChart.of(
                                        title,
                                        Axis.linear("<x>"),
                                        Axis.linear("&amp;"),
                                        List.of(Series.of("<s>", ONE_TO_FOUR, ONE_TO_FOUR)))
                                .svg());

        assertThat(texts(svg))
                .contains("a < b & \"c\" > d'  \uD83D\uDE00", "<x>", "&amp;", "<s>", "<s> 1: 1");
    }

    @Test
    void coloursGetDarkerAndEndWhereTheScaleEnds() {
        int[] brightness =
                IntStream.rangeClosed(0, 100)
                        .map(percent -> brightness(Palette.scale(percent / 100.0)))
                        .toArray();

        assertThat(brightness).isSortedAccordingTo((a, b) -> Integer.compare(b, a));
        assertThat(Palette.scale(-1)).isEqualTo(Palette.scale(0)).isEqualTo("#f6f4ec");
        assertThat(Palette.scale(2)).isEqualTo(Palette.scale(1)).isEqualTo("#1b2a56");
    }

    @Test
    void seriesOfUnequalLengthsAreRefused() {
        assertThatThrownBy(() -> Series.of("s", ONE_TO_FOUR, new double[3]))
                .hasMessageStartingWith("series 's'");
    }

    private static Element parsed(String svg) throws Exception {
        return DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)))
                .getDocumentElement();
    }

    private static List<Element> all(Element svg, String name, Predicate<Element> which) {
        NodeList elements = svg.getElementsByTagName(name);
        return IntStream.range(0, elements.getLength())
                .mapToObj(i -> (Element) elements.item(i))
                .filter(which)
                .toList();
    }

    /** Those that stand for a value. */
    private static List<Element> explained(Element svg, String name) {
        return all(svg, name, Element::hasChildNodes);
    }

    private static List<String> texts(Element svg) {
        return IntStream.concat(IntStream.of(0), IntStream.of(1))
                .mapToObj(i -> all(svg, i == 0 ? "text" : "title", text -> true))
                .flatMap(List::stream)
                .map(Element::getTextContent)
                .toList();
    }

    private static double attribute(Element element, String name) {
        return Double.parseDouble(element.getAttribute(name));
    }

    private static int brightness(String colour) {
        int rgb = Integer.parseInt(colour.substring(1), 16);
        return 299 * (rgb >> 16) + 587 * (rgb >> 8 & 0xff) + 114 * (rgb & 0xff);
    }
}
