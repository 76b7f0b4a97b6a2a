// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** What is in a page that {@link HtmlPage} wrote. */
record Page(Document document) {

    static Page parse(String html) throws Exception {
        return new Page(
                DocumentBuilderFactory.newInstance()
                        .newDocumentBuilder()
                        .parse(new ByteArrayInputStream(html.getBytes(StandardCharsets.UTF_8))));
    }

    List<String> charts() {
        return elements(document.getDocumentElement(), "figure").stream()
                .map(figure -> figure.getAttribute("id"))
                .toList();
    }

    /** The chart or table of this id. */
    Element byId(String id) {
        return elements(document.getDocumentElement(), "*").stream()
                .filter(element -> element.getAttribute("id").equals(id))
                .findFirst()
                .orElseThrow(() -> new AssertionError("nothing of the id " + id));
    }

    /** What the marks of a chart say when the pointer is over them, without the chart's title. */
    List<String> explanations(String id) {
        return elements(byId(id), "title").stream().skip(1).map(Element::getTextContent).toList();
    }

    /** The numbers that they end with. */
    List<Double> values(String id, String prefix) {
        return explanations(id).stream()
                .filter(text -> text.startsWith(prefix))
                .map(text -> number(text.substring(text.lastIndexOf(": ") + 2)))
                .toList();
    }

    String caption(String id) {
        return elements(byId(id), "figcaption").get(0).getTextContent();
    }

    /** The rows of a table, without the names of its columns. */
    List<List<String>> rows(String id) {
        return elements(byId(id), "tr").stream()
                .map(row -> elements(row, "td").stream().map(Element::getTextContent).toList())
                .filter(cells -> !cells.isEmpty())
                .toList();
    }

    String text() {
        return document.getDocumentElement().getTextContent();
    }

    static List<Element> elements(Element parent, String name) {
        NodeList found = parent.getElementsByTagName(name);
        return IntStream.range(0, found.getLength())
                .mapToObj(i -> (Element) found.item(i))
                .toList();
    }

    static double number(String text) {
        return Double.parseDouble(text.replace(",", ""));
    }
}
