// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import io.flinkmoe.schemas.Choice;
import io.flinkmoe.schemas.LayerDecision;
import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.schemas.ScoredToken;
import io.flinkmoe.tools.flights.FlightLabels;
import io.flinkmoe.tools.flights.FlightTask;
import io.flinkmoe.tools.flights.Flights;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.IntToLongFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;

/** Holds every number of the page against the same, counted from the tokens once more. */
class DemoPageTest {

    private static final int TOKENS = 3000;
    private static final int EXPERTS = 5;

    /** Never chosen. */
    private static final int DEAD = 4;

    private static final int WINDOWS = 12;

    /** Without a token. */
    private static final int EMPTY = 7;

    private static final long HOUR = 3_600_000;
    private static final long START = Instant.parse("2001-06-01T00:00:00Z").toEpochMilli();

    private final DemoResults results = new DemoResults(TOKENS);
    private final long[] timestamps = new long[TOKENS];
    private final boolean[] late = new boolean[TOKENS];
    private final double[][][] counts = new double[Outcome.values().length][EXPERTS][WINDOWS];
    private final double[][] load = new double[EXPERTS][WINDOWS];
    private final double[][] weight = new double[EXPERTS][WINDOWS];
    private DemoReport report;
    private Page page;

    @BeforeEach
    void fillAndParse() throws Exception {
        Random random = new Random(3);
        Outcome[] outcomes = {
            Outcome.EXECUTED, Outcome.EXECUTED, Outcome.OVERFLOWED, Outcome.REROUTED, Outcome.FAILED
        };
        for (int token = 0; token < TOKENS; token++) {
            int window = token * WINDOWS / TOKENS;
            window = window == EMPTY ? EMPTY + 1 : window;
            timestamps[token] = START + window * HOUR + random.nextInt((int) HOUR);
            float probability = random.nextFloat();
            late[token] = random.nextFloat() < probability;
            List<Choice> choices = new ArrayList<>();
            int first = random.nextInt(EXPERTS - 1);
            for (int expert : new int[] {first, (first + 1) % (EXPERTS - 1)}) {
                Outcome outcome = outcomes[random.nextInt(outcomes.length)];
                choices.add(new Choice(expert, random.nextFloat(), outcome, List.of()));
                counts[outcome.ordinal()][expert][window]++;
                load[expert][window]++;
                weight[expert][window] += choices.get(choices.size() - 1).getWeight();
            }
            results.produced(token, 1_000_000 + token);
            long scored = 1_000_000 + token + 5 + random.nextInt(500);
            results.scored(
                    new ScoredToken(
                            "LAS",
                            (long) token,
                            Instant.ofEpochMilli(timestamps[token]),
                            List.of(probability),
                            null,
                            "v1",
                            List.of(new LayerDecision(choices))),
                    scored,
                    scored + 100);
        }
        report = report(results, gates(results));
        page =
                Page.parse(
                        DemoPage.html(
                                report,
                                results,
                                new DemoTimeline(results, timestamps, EXPERTS, HOUR),
                                List.of("demo", "--capacity", "<&>"),
                                0,
                                Map.of("moe.bundle", "a & b", "my.password", "secret")));
    }

    @Test
    void heatMapsShowTheChoicesOfEachExpertAndWindow() {
        List<String> executed = page.explanations("load");
        List<String> overflowed = page.explanations("overflow");

        assertThat(executed).hasSize(EXPERTS * WINDOWS);
        assertThat(overflowed).hasSize(EXPERTS * WINDOWS);
        for (int expert = 0; expert < EXPERTS; expert++) {
            for (int window = 0; window < WINDOWS; window++) {
                String cell = "%d, 1 Jun %02d:00: ".formatted(expert, window);
                double ran =
                        counts[Outcome.EXECUTED.ordinal()][expert][window]
                                + counts[Outcome.REROUTED.ordinal()][expert][window];
                double none = counts[Outcome.OVERFLOWED.ordinal()][expert][window];
                assertThat(executed.get(expert * WINDOWS + window)).isEqualTo(cell + (int) ran);
                assertThat(overflowed.get(expert * WINDOWS + window)).isEqualTo(cell + (int) none);
            }
        }
    }

    @Test
    void outcomesAreCountedPerWindowAndPerExpert() {
        for (Outcome outcome : Outcome.values()) {
            String name = outcome.name().toLowerCase(Locale.ROOT);
            double[][] of = counts[outcome.ordinal()];
            if (sum(of) == 0) {
                assertThat(page.values("outcomes", name)).isEmpty();
                continue;
            }
            assertThat(page.values("outcomes", name))
                    .containsExactlyElementsOf(
                            IntStream.range(0, WINDOWS).mapToObj(w -> sum(column(of, w))).toList());
            for (int expert = 0; expert < EXPERTS; expert++) {
                assertThat(page.values("experts", expert + ", " + name))
                        .containsExactly(Arrays.stream(of[expert]).sum());
            }
        }
    }

    @Test
    void healthIsThatOfEachWindow() {
        int shown = 0;
        for (int window = 0; window < WINDOWS; window++) {
            if (window == EMPTY) {
                continue;
            }
            assertThat(page.values("imbalance", "load").get(shown))
                    .isCloseTo(cv2(column(load, window)), offset(1e-3));
            assertThat(page.values("imbalance", "importance").get(shown))
                    .isCloseTo(cv2(column(weight, window)), offset(1e-3));
            assertThat(page.values("entropy", "").get(shown))
                    .isCloseTo(100 * evenness(column(load, window)), offset(0.01));
            shown++;
        }
        assertThat(page.values("imbalance", "load")).hasSize(shown);
        assertThat(page.caption("imbalance"))
                .endsWith(
                        "load %.4f, importance %.4f."
                                .formatted(cv2(rows(load)), cv2(rows(weight))));
        assertThat(page.caption("entropy"))
                .endsWith("Whole run: %.1f.".formatted(100 * evenness(rows(load))));
        assertThat(page.caption("shares")).endsWith("which were never chosen: " + DEAD + ".");
    }

    @Test
    void sharesAndTheTableAreOfEachExpert() {
        List<List<String>> table = page.rows("expert-table");
        for (int expert = 0; expert < EXPERTS; expert++) {
            for (int rank = 0; rank < 2; rank++) {
                double n = 0;
                for (int token = 0; token < TOKENS; token++) {
                    n += results.experts(token)[rank] == expert ? 1 : 0;
                }
                assertThat(page.values("shares", expert + ", choice " + (rank + 1)).get(0))
                        .isCloseTo(100 * n / TOKENS, offset(0.01));
            }
            double chosen = Arrays.stream(load[expert]).sum();
            double ran =
                    Arrays.stream(counts[Outcome.EXECUTED.ordinal()][expert]).sum()
                            + Arrays.stream(counts[Outcome.REROUTED.ordinal()][expert]).sum();
            assertThat(table.get(expert))
                    .containsExactly(
                            "" + expert,
                            "%,.0f".formatted(chosen),
                            "%.1f %%".formatted(100 * chosen / (2 * TOKENS)),
                            chosen == 0
                                    ? "-"
                                    : "%.3f"
                                            .formatted(
                                                    Arrays.stream(weight[expert]).sum() / chosen),
                            "%,.0f".formatted(ran),
                            "%,.0f"
                                    .formatted(
                                            Arrays.stream(
                                                            counts[Outcome.OVERFLOWED.ordinal()][
                                                                    expert])
                                                    .sum()));
        }
    }

    @Test
    void latencyIsDrawnWhereItBelongs() {
        assertThat(drawnMedian(0)).isCloseTo(median(results::scoredAt), offset(4.0));
        assertThat(drawnMedian(1)).isCloseTo(median(results::committedAt), offset(4.0));
        assertThat(page.values("latency-run", "until scored")).hasSize(40).allMatch(ms -> ms > 100);
        for (int slice = 0; slice < 40; slice++) {
            double between =
                    page.values("latency-run", "until committed").get(slice)
                            - page.values("latency-run", "until scored").get(slice);
            assertThat(between).isEqualTo(100);
        }
    }

    @Test
    void calibrationIsCountedInBins() {
        List<String> points = page.explanations("calibration");
        assertThat(points).hasSize(10);
        for (int bin = 0; bin < 10; bin++) {
            double n = 0;
            double hits = 0;
            double sum = 0;
            for (int token = 0; token < TOKENS; token++) {
                if ((int) (results.probability(token) * 10) == bin) {
                    n++;
                    hits += late[token] ? 1 : 0;
                    sum += results.probability(token);
                }
            }
            String[] numbers = points.get(bin).replace("flights ", "").split(": ");
            assertThat(Page.number(numbers[0])).isCloseTo(100 * sum / n, offset(0.01));
            assertThat(Page.number(numbers[1])).isCloseTo(100 * hits / n, offset(0.01));
        }
        assertThat(page.caption("roc"))
                .contains(": %.5f.".formatted(report.quality().tasks().get(0).auc()));
    }

    @Test
    void figuresAreThoseOfTheReportAndSecretsAreHidden() {
        assertThat(page.rows("figures"))
                .containsExactlyElementsOf(
                        report.figures().stream()
                                .map(f -> List.of(f.name(), f.value(), f.note()))
                                .toList());
        assertThat(page.rows("options"))
                .containsExactly(List.of("moe.bundle", "a & b"), List.of("my.password", "******"));
        assertThat(page.text()).contains("moe demo --capacity <&>", "Every flight was scored");
    }

    @Test
    void noIdIsGivenTwiceAndNothingIsFetched() {
        Set<String> ids = new HashSet<>();
        for (Element element : Page.elements(page.document().getDocumentElement(), "*")) {
            assertThat(element.getAttribute("id")).matches(id -> id.isEmpty() || ids.add(id));
            assertThat(element.hasAttribute("src") || element.hasAttribute("href")).isFalse();
        }
        assertThat(ids).contains("load", "overflow", "latency", "imbalance", "roc");
        assertThat(Page.elements(page.document().getDocumentElement(), "script")).isEmpty();
    }

    @Test
    void pageOfARunWithoutAnswersSaysSo() throws Exception {
        DemoResults none = new DemoResults(TOKENS);
        Page empty =
                Page.parse(
                        DemoPage.html(
                                report(none, gates(none)),
                                none,
                                new DemoTimeline(none, timestamps, EXPERTS, HOUR),
                                List.of("demo"),
                                100,
                                Map.of()));

        assertThat(empty.charts()).isEmpty();
        assertThat(empty.text()).contains("Failed: 3,000 tokens have no answer.");
    }

    @Test
    void pageOfOneFlightHasNoCurvesOfQuality() throws Exception {
        DemoResults one = new DemoResults(1);
        one.produced(0, 1000);
        one.scored(
                new ScoredToken(
                        "LAS",
                        0L,
                        Instant.ofEpochMilli(START),
                        List.of(0.5f),
                        null,
                        "v1",
                        List.of(
                                new LayerDecision(
                                        List.of(new Choice(1, 1f, Outcome.EXECUTED, List.of()))))),
                1000,
                1000);
        DemoReport small = report(one, gates(one));
        Page alone =
                Page.parse(
                        DemoPage.html(
                                small,
                                one,
                                new DemoTimeline(one, new long[] {START}, EXPERTS, HOUR),
                                List.of("demo"),
                                0,
                                Map.of()));

        assertThat(alone.charts()).contains("load", "latency").doesNotContain("roc", "overflow");
        assertThat(alone.text()).contains("quality of the answers cannot be measured");
    }

    @Test
    void severalGatesAreShownByGateAndExpert() throws Exception {
        DemoResults two = new DemoResults(2);
        for (int token = 0; token < 2; token++) {
            List<Choice> choices =
                    List.of(
                            new Choice(1, 1f, Outcome.EXECUTED, List.of(0.75f, 0f)),
                            new Choice(3 + token, 1f, Outcome.EXECUTED, List.of(0.25f, 1f)));
            two.scored(
                    new ScoredToken(
                            "LAS",
                            (long) token,
                            Instant.ofEpochMilli(START),
                            token == 0 ? null : List.of(0.5f),
                            null,
                            "v1",
                            List.of(new LayerDecision(choices))),
                    1,
                    1);
        }
        GateShares gates = new GateShares(two, List.of("click", "buy"), EXPERTS);
        Page several =
                Page.parse(
                        DemoPage.html(
                                report(two, gates),
                                two,
                                new DemoTimeline(two, new long[] {START, START}, EXPERTS, HOUR),
                                List.of("demo"),
                                0,
                                Map.of()));

        assertThat(several.charts()).contains("gate-shares", "gate-weights");
        assertThat(several.charts()).doesNotContain("shares");
        assertThat(several.explanations("gate-shares"))
                .contains("click, 1: 50", "click, 3: 25", "click, 0: 0", "buy, 1: 0", "buy, 4: 50");
        assertThat(several.explanations("gate-weights"))
                .contains("click, 1: 0.75", "click, 3: 0.25", "buy, 3: 1");
        assertThat(several.caption("gate-shares")).endsWith("no gate ever chose: 0, 2.");
        assertThat(page.charts()).contains("shares").doesNotContain("gate-shares", "gate-weights");
    }

    @Test
    void severalTasksAreShownByName() throws Exception {
        DemoResults two = new DemoResults(2, List.of("late", "early"));
        for (int token = 0; token < 2; token++) {
            two.scored(
                    ScoredToken.newBuilder()
                            .setStream("LAS")
                            .setPosition(token)
                            .setTimestamp(Instant.ofEpochMilli(START))
                            .setValues(null)
                            .setOutputs(Map.of("late", 0.25f + token / 2f, "early", 0.5f))
                            .setModelVersion("v1")
                            .setLayers(List.of(new LayerDecision(List.of())))
                            .build(),
                    1,
                    1);
        }
        boolean[] second = {false, true};
        List<FlightLabels> labels =
                List.of(
                        new FlightLabels(Flights.LATE, second),
                        new FlightLabels(FlightTask.early("early", 5), second));
        Page several =
                Page.parse(
                        DemoPage.html(
                                new DemoReport(two, labels, null, gates(two), List.of()),
                                two,
                                new DemoTimeline(two, new long[] {START, START}, EXPERTS, HOUR),
                                List.of("demo"),
                                0,
                                Map.of()));

        assertThat(several.caption("roc")).contains("late 1.00000, early 0.50000.");
        assertThat(several.rows("tasks"))
                .containsExactly(
                        List.of(
                                "late",
                                "late by 15 minutes or more",
                                "50.00 %",
                                "50.00 %",
                                "1.00000",
                                "0.2877"),
                        List.of(
                                "early",
                                "early by 5 minutes or more",
                                "50.00 %",
                                "50.00 %",
                                "0.50000",
                                "0.6931"));
        assertThat(page.rows("tasks")).hasSize(1);
    }

    private DemoReport report(DemoResults of, GateShares gates) {
        List<FlightLabels> labels = List.of(new FlightLabels(Flights.LATE, late));
        return new DemoReport(of, labels, null, gates, List.of());
    }

    private static GateShares gates(DemoResults results) {
        return new GateShares(results, List.of("0"), EXPERTS);
    }

    @Test
    void manyWindowsAreTakenTogether() {
        DemoTimeline minutes = new DemoTimeline(results, timestamps, EXPERTS, 60_000);

        assertThat(minutes.width()).isEqualTo(3 * 60_000);
        assertThat(minutes.windows()).isLessThanOrEqualTo(241);
        assertThat(sum(minutes.counts(Outcome.values()))).isEqualTo(2 * TOKENS);
    }

    /** Where the n-th line of the latency chart crosses 50 %, by the marks of the x axis. */
    private double drawnMedian(int n) {
        Element path = Page.elements(page.byId("latency"), "path").get(n);
        String[] points = path.getAttribute("d").substring(1).split("[ML]");
        assertThat(points).hasSize(199);
        double x = Double.parseDouble(points[99].split(" ")[0]);
        List<Element> marks =
                Page.elements(page.byId("latency"), "text").stream()
                        .filter(text -> text.getTextContent().matches("[125]0+"))
                        .filter(text -> text.getAttribute("text-anchor").equals("middle"))
                        .toList();
        double x1 = Double.parseDouble(marks.get(0).getAttribute("x"));
        double x2 = Double.parseDouble(marks.get(marks.size() - 1).getAttribute("x"));
        double ms1 = Double.parseDouble(marks.get(0).getTextContent());
        double ms2 = Double.parseDouble(marks.get(marks.size() - 1).getTextContent());
        assertThat(ms1).isLessThan(ms2);
        return ms1 * Math.pow(ms2 / ms1, (x - x1) / (x2 - x1));
    }

    private double median(IntToLongFunction until) {
        long[] millis =
                IntStream.range(0, TOKENS)
                        .mapToLong(i -> until.applyAsLong(i) - results.producedAt(i))
                        .sorted()
                        .toArray();
        return millis[TOKENS / 2 - 1];
    }

    private static double cv2(double[] values) {
        double mean = sum(values) / values.length;
        return Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum()
                / values.length
                / (mean * mean);
    }

    private static double evenness(double[] values) {
        double all = sum(values);
        double entropy =
                -Arrays.stream(values)
                        .filter(v -> v > 0)
                        .map(v -> v / all * Math.log(v / all))
                        .sum();
        return entropy / Math.log(EXPERTS);
    }

    private static double[] column(double[][] values, int column) {
        return Arrays.stream(values).mapToDouble(row -> row[column]).toArray();
    }

    private static double[] rows(double[][] values) {
        return Arrays.stream(values).mapToDouble(DemoPageTest::sum).toArray();
    }

    private static double sum(double[] values) {
        return Arrays.stream(values).sum();
    }

    private static double sum(double[][] values) {
        return sum(rows(values));
    }
}
