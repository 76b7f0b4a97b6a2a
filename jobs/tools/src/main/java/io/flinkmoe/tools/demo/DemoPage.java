package io.flinkmoe.tools.demo;

import io.flinkmoe.routing.health.Importance;
import io.flinkmoe.schemas.Outcome;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigurationUtils;

/** A demo's results as a page: where its choices went, how fast, and how good the answers are. */
@Internal
final class DemoPage {

    private static final List<String> TILES =
            List.of("tokens out", "throughput", "latency until committed", "AUC", "overflowed");

    private final DemoReport report;
    private final DemoResults results;
    private final DemoTimeline timeline;
    private final HtmlPage html = new HtmlPage("flink-moe: the demo's run");

    private DemoPage(DemoReport report, DemoResults results, DemoTimeline timeline) {
        this.report = report;
        this.results = results;
        this.timeline = timeline;
    }

    /**
     * The page.
     *
     * @param arguments of the program
     * @param rate tokens sent per second; 0: as fast as Kafka takes them
     * @param options of the job
     */
    static String html(
            DemoReport report,
            DemoResults results,
            DemoTimeline timeline,
            List<String> arguments,
            int rate,
            Map<String, String> options) {
        DemoPage page = new DemoPage(report, results, timeline);
        page.head(arguments);
        if (report.scored().length > 0) {
            DemoCharts charts = new DemoCharts(report, results, timeline);
            page.load(charts);
            page.health(charts);
            page.latency(charts, rate);
            page.answers(charts);
        }
        page.figures(options);
        return page.html.end();
    }

    private void head(List<String> arguments) {
        html.paragraph(
                "%,d US flights in order of departure, each scored by a mixture of %d experts."
                        .formatted(results.tokens(), report.load().length));
        html.code("moe " + String.join(" ", arguments));
        List<String> defects = report.defects();
        html.verdict(
                defects.isEmpty(),
                defects.isEmpty()
                        ? "Every flight was scored exactly once."
                        : "Not as it must be: " + String.join("; ", defects) + ".");
        html.tiles(
                report.figures().stream()
                        .filter(figure -> TILES.contains(figure.name()))
                        .map(DemoPage::cells)
                        .toList());
    }

    private void load(DemoCharts charts) {
        boolean overflowed = timeline.total(Outcome.OVERFLOWED) > 0;
        html.section(
                "Load and overflow",
                overflowed
                        ? "A choice that its expert has no room for in its window overflows: it adds"
                                + " nothing to the answer."
                        : "No choice overflowed: every expert had room for all that came to it.");
        html.chart("load", charts.load(), "", true);
        if (overflowed) {
            html.chart("overflow", charts.overflow(), "", true);
        }
        html.chart("outcomes", charts.outcomesOverTime(), "", false);
        html.chart("experts", charts.outcomesPerExpert(), "", false);
    }

    private void health(DemoCharts charts) {
        double[] load = timeline.load();
        double[] importance = timeline.importance();
        html.section(
                "Routing health",
                "How evenly the router spreads its choices, whether the experts have room or not.");
        html.chart(
                "unevenness",
                charts.unevenness(),
                ("0 when all experts are chosen alike, %d when one has all. Importance counts a"
                                + " choice by its weight. Whole run: load %.4f, importance %.4f.")
                        .formatted(
                                load.length - 1, Importance.cv2(load), Importance.cv2(importance)),
                false);
        html.chart(
                "entropy",
                charts.entropy(),
                "100 when all experts are chosen alike, 0 when one has all. Whole run: %.1f."
                        .formatted(100 * DemoTimeline.evenness(load)),
                false);
        html.chart(
                "shares",
                charts.shares(),
                "Choice 1 is the most probable expert. Balanced: %.1f %% each. Dead experts, which nothing chose: %s."
                        .formatted(100.0 / load.length, dead(load)),
                false);
        html.table(
                "expert-table",
                "Experts",
                List.of("expert", ">choices", ">share", ">mean weight", ">executed", ">overflowed"),
                expertRows(load, importance));
    }

    private List<List<String>> expertRows(double[] load, double[] importance) {
        double all = Arrays.stream(load).sum();
        double[] overflowed = timeline.perExpert(Outcome.OVERFLOWED);
        List<List<String>> rows = new ArrayList<>();
        for (int expert = 0; expert < load.length; expert++) {
            rows.add(
                    List.of(
                            Integer.toString(expert),
                            "%,.0f".formatted(load[expert]),
                            "%.1f %%".formatted(100 * load[expert] / Math.max(1, all)),
                            load[expert] == 0
                                    ? "-"
                                    : "%.3f".formatted(importance[expert] / load[expert]),
                            "%,d".formatted(report.load()[expert]),
                            "%,.0f".formatted(overflowed[expert])));
        }
        return rows;
    }

    private void latency(DemoCharts charts, int rate) {
        html.section(
                "Latency",
                rate > 0
                        ? "From a flight in Kafka to its answer there, at %,d flights per second."
                                .formatted(rate)
                        : "From a flight in Kafka to its answer there. The flights are sent as fast as Kafka"
                                + " takes them, and wait for their turn; with a rate one sees the latency"
                                + " below full speed.");
        html.chart(
                "latency",
                charts.latency(),
                "Committed: a reader of what is committed sees it, thus after the next checkpoint."
                        + " Without the slowest half per cent.",
                false);
        html.chart(
                "latency-run",
                charts.latencyOverRun(),
                "By the time a flight was sent; without the first, which waits for the job to start.",
                false);
    }

    private void answers(DemoCharts charts) {
        if (Double.isNaN(report.auc())) {
            html.section(
                    "Answers",
                    "The flights are all late, or all on time: there is nothing to tell apart.");
            return;
        }
        html.section(
                "Answers",
                "How well the probabilities foretell which flights are late, by 15 minutes or more.");
        html.chart(
                "roc",
                charts.roc(),
                "AUC, the area under the curve: %.5f. Chance has 0.5.".formatted(report.auc()),
                false);
        html.chart(
                "calibration",
                charts.calibration(),
                "Flights of about the same probability, with 95 % intervals. On the dashed line a"
                        + " probability is what it says.",
                false);
    }

    private void figures(Map<String, String> options) {
        html.section("The run", "All figures, and the options that the job was started with.");
        html.table(
                "figures",
                "Figures",
                List.of("", ">", ""),
                report.figures().stream().map(DemoPage::cells).toList());
        html.table(
                "options",
                "Options",
                List.of("option", "value"),
                new TreeMap<>(ConfigurationUtils.hideSensitiveValues(options))
                        .entrySet().stream()
                                .map(option -> List.of(option.getKey(), option.getValue()))
                                .toList());
    }

    private static List<String> cells(DemoReport.Figure figure) {
        return List.of(figure.name(), figure.value(), figure.note());
    }

    private static String dead(double[] load) {
        String dead =
                IntStream.range(0, load.length)
                        .filter(expert -> load[expert] == 0)
                        .mapToObj(Integer::toString)
                        .collect(Collectors.joining(", "));
        return dead.isEmpty() ? "none" : dead;
    }
}
