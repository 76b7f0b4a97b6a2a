// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import java.awt.image.BufferedImage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The page of a real run: its numbers, and how it looks in a browser. */
class DemoPageIT {

    private static final int EVENTS = 6000;
    private static final int WIDTH = 1280;
    private static final String UNSEEN =
            "No Chromium on the path or in $CHROMIUM: the report is not looked at.";

    private static final String[] CHARTS = {
        "load",
        "overflow",
        "outcomes",
        "experts",
        "imbalance",
        "entropy",
        "shares",
        "latency",
        "latency-run",
        "roc",
        "calibration"
    };

    /** Tells of each chart where it is, and whether its texts leave it or cover each other. */
    private static final String MEASURE =
            """
            <script>
            const round = r => [r.x, r.y, r.width, r.height].map(Math.round).join(' ');
            for (const figure of document.querySelectorAll('figure')) {
              const box = figure.querySelector('svg').getBoundingClientRect();
              const texts = [...figure.querySelectorAll('svg text')].map(t => t.getBoundingClientRect());
              const outside = texts.filter(t => t.left < box.left || t.right > box.right
                || t.top < box.top || t.bottom > box.bottom).length;
              let covered = 0;
              texts.forEach((a, i) => texts.slice(i + 1).forEach(b => {
                if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
                  && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1) covered++;
              }));
              figure.setAttribute('data-measured',
                [round(box), texts.length, outside, covered].join(' '));
            }
            document.documentElement.setAttribute('data-size',
              document.documentElement.scrollWidth + ' ' + document.documentElement.scrollHeight);
            </script>
            """;

    @TempDir private static Path folder;

    private static Path file;
    private static Program program;
    private static Page page;

    @BeforeAll
    static void runDemo() throws Exception {
        System.setProperty("moe.home", Home.ROOT.toString());
        file = folder.resolve("out.html");
        program = Program.run("demo", "--events", EVENTS, "--capacity", 100, "--report", file);
        assertThat(program.exitCode()).as(program.out() + program.err()).isZero();
        page = Page.parse(Files.readString(file));
    }

    @AfterAll
    static void clearHome() {
        System.clearProperty("moe.home");
    }

    @Test
    void figuresAreThoseThatTheRunPrinted() {
        assertThat(program.out()).contains("The plots are in " + file);
        assertThat(page.rows("figures").get(0)).startsWith("tokens in", "6,000");
        for (List<String> row : page.rows("figures")) {
            assertThat(printed()).contains(String.join(" ", row).strip());
        }
        List<String> options = page.rows("options").stream().map(row -> row.get(0)).toList();
        assertThat(options)
                .contains("moe.capacity.size", "moe.source.topic", "parallelism.default");
    }

    @Test
    void plotsAddUpToWhatTheRunPrinted() {
        double executed = 0;
        for (List<String> row : page.rows("expert-table")) {
            String expert = row.get(0);
            assertThat(printed())
                    .anyMatch(line -> line.startsWith(expert + " " + row.get(4) + " "));
            assertThat(sum(page.values("load", expert + ","))).isEqualTo(Page.number(row.get(4)));
            assertThat(sum(page.values("overflow", expert + ",")))
                    .isEqualTo(Page.number(row.get(5)));
            assertThat(page.values("load", expert + ",")).allMatch(n -> n <= 100);
            executed += Page.number(row.get(4));
        }
        assertThat(executed).isEqualTo(figure("executed"));
        assertThat(sum(page.values("outcomes", "executed"))).isEqualTo(executed);
        assertThat(sum(page.values("outcomes", "overflowed")))
                .isEqualTo(figure("overflowed"))
                .isPositive();
        assertThat(executed + figure("overflowed")).isEqualTo(2 * EVENTS);
        assertThat(page.caption("roc")).contains("%.5f".formatted(figure("AUC")));
    }

    @Test
    void everyPlotIsSeenInABrowser() throws Exception {
        Optional<Chromium> chromium = Chromium.find(folder);
        if (chromium.isEmpty()) {
            System.err.println(UNSEEN); // Maven does not print why a test is skipped.
        }
        assumeTrue(chromium.isPresent(), UNSEEN);
        Path measured = folder.resolve("measured.html");
        Files.writeString(measured, Files.readString(file).replace("</body>", MEASURE + "</body>"));

        String dom = chromium.get().dom(measured, WIDTH, 1000);

        int[] size = numbers(dom, "<html[^>]* data-size=\"([^\"]+)\"").values().iterator().next();
        assertThat(size[0]).as("the page's width").isLessThanOrEqualTo(WIDTH);
        Path png = folder.resolve("page.png");
        chromium.get().screenshot(file, WIDTH, size[1], png);
        BufferedImage image = ImageIO.read(png.toFile());
        assertThat(image.getHeight()).isEqualTo(size[1]);
        Map<String, int[]> charts =
                numbers(dom, "<figure id=\"([^\"]+)\"[^>]* data-measured=\"([^\"]+)\"");
        assertThat(charts).containsOnlyKeys(CHARTS);
        charts.forEach((name, measures) -> assertIsDrawn(name, measures, image));
        assertThat(colours(image, 0, 0, WIDTH, 30))
                .as("the margin above, for comparison")
                .isEmpty();
    }

    private static void assertIsDrawn(String name, int[] measures, BufferedImage image) {
        int x = measures[0];
        int y = measures[1];
        int width = measures[2];
        int height = measures[3];
        assertThat(width).as(name).isGreaterThan(400);
        assertThat(height).as(name).isGreaterThan(200);
        assertThat(measures[4]).as("texts of " + name).isGreaterThan(8);
        assertThat(measures[5]).as("texts that leave " + name).isZero();
        assertThat(measures[6]).as("texts that cover another in " + name).isZero();
        // Below the legend, without the scale at the right of a heat map, but with the left edge:
        // where commits take long, both curves of the latency are steep and far apart.
        Map<Integer, Integer> colours =
                colours(image, x, y + height * 3 / 10, width * 92 / 100, height * 56 / 100);
        assertThat(colours.size()).as("colours of " + name).isGreaterThan(2);
        assertThat(colours.values().stream().mapToInt(n -> n).sum())
                .as("coloured pixels of " + name)
                .isGreaterThan(150);
    }

    /** How often each colour is there that is not a grey, as those of texts and axes are. */
    private static Map<Integer, Integer> colours(BufferedImage image, int x, int y, int w, int h) {
        Map<Integer, Integer> colours = new HashMap<>();
        for (int rgb : image.getRGB(x, y, w, h, null, 0, w)) {
            int[] parts = {rgb >> 16 & 0xff, rgb >> 8 & 0xff, rgb & 0xff};
            int[] sorted = Arrays.stream(parts).sorted().toArray();
            if (sorted[2] - sorted[0] > 40) {
                colours.merge(rgb, 1, Integer::sum);
            }
        }
        return colours;
    }

    /** The numbers in the last group of a pattern, by its first. */
    private static Map<String, int[]> numbers(String text, String pattern) {
        Map<String, int[]> found = new HashMap<>();
        for (MatchResult match : Pattern.compile(pattern).matcher(text).results().toList()) {
            String[] numbers = match.group(match.groupCount()).split(" ");
            found.put(match.group(1), Arrays.stream(numbers).mapToInt(Integer::parseInt).toArray());
        }
        return found;
    }

    private static List<String> printed() {
        return program.out().lines().map(line -> line.strip().replaceAll(" +", " ")).toList();
    }

    private static double figure(String name) {
        Matcher line =
                Pattern.compile("^ +" + name + " +(\\S+)", Pattern.MULTILINE)
                        .matcher(program.out());
        assertThat(line.find()).as("%s in:%n%s", name, program.out()).isTrue();
        return Page.number(line.group(1));
    }

    private static double sum(List<Double> values) {
        return values.stream().mapToDouble(value -> value).sum();
    }
}
