// SPDX-License-Identifier: Apache-2.0
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

/**
 * The results of a demo as an HTML page: the load of the experts, the latency, and the quality of
 * the answers.
 */
@Internal
final class DemoPage {

    private static final List<String> TILES =
            List.of("tokens out", "throughput", "latency until committed", "overflowed");

    private final DemoReport report;
    private final DemoResults results;
    private final DemoTimeline timeline;
    private final HtmlPage html = new HtmlPage("flink-moe: demo run");

    private DemoPage(DemoReport report, DemoResults results, DemoTimeline timeline) {
        this.report = report;
        this.results = results;
        this.timeline = timeline;
    }

    /**
     * Writes the page.
     *
     * @param arguments the arguments of the program
     * @param rate tokens sent per second; 0: as fast as Kafka accepts them
     * @param options the options of the job
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
            page.answers();
        }
        page.figures(options);
        return page.html.end();
    }

    private void head(List<String> arguments) {
        html.paragraph(
                "%,d US flights in order of departure, each scored by a mixture of %d experts%s."
                        .formatted(
                                results.tokens(),
                                report.load().length,
                                report.gates().areSeveral()
                                        ? " with %d gates".formatted(report.gates().names().size())
                                        : ""));
        html.code("moe " + String.join(" ", arguments));
        List<String> defects = report.defects();
        html.status(
                defects.isEmpty(),
                defects.isEmpty()
                        ? "Every flight was scored exactly once."
                        : "Failed: " + String.join("; ", defects) + ".");
        List<Figure> ofQuality = report.quality().figures();
        html.tiles(
                report.figures().stream()
                        .filter(
                                figure ->
                                        TILES.contains(figure.name()) || ofQuality.contains(figure))
                        .map(Figure::cells)
                        .toList());
    }

    private void load(DemoCharts charts) {
        boolean overflowed = timeline.total(Outcome.OVERFLOWED) > 0;
        html.section(
                "Load and overflow",
                overflowed
                        ? "A choice overflows if its expert has no remaining capacity in the"
                                + " window. It then adds nothing to the answer."
                        : "No choice overflowed: every expert had enough capacity for all its"
                                + " choices.");
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
                "How evenly the router distributes its choices, regardless of capacity.");
        html.chart(
                "imbalance",
                charts.imbalance(),
                ("0 if all experts are chosen equally often, %d if one expert has all choices."
                                + " Importance counts each choice with its weight. Whole run: load %.4f,"
                                + " importance %.4f.")
                        .formatted(
                                load.length - 1, Importance.cv2(load), Importance.cv2(importance)),
                false);
        html.chart(
                "entropy",
                charts.entropy(),
                ("100 if all experts are chosen equally often, 0 if one expert has"
                                + " all choices. Whole run: %.1f.")
                        .formatted(100 * DemoTimeline.evenness(load)),
                false);
        if (report.gates().areSeveral()) {
            gates(charts, load);
        } else {
            shares(charts, load);
        }
        html.table(
                "expert-table",
                "Experts",
                List.of("expert", ">choices", ">share", ">mean weight", ">executed", ">overflowed"),
                expertRows(load, importance));
    }

    private void gates(DemoCharts charts, double[] load) {
        html.chart(
                "gate-shares",
                charts.gateShares(),
                ("The share of each expert in the choices of a gate. A dense gate chooses all its"
                                + " experts. Dead experts, which no gate ever chose: %s.")
                        .formatted(dead(load)),
                false);
        html.chart(
                "gate-weights",
                charts.gateWeights(),
                "The mean of an expert's weights where the gate chose it.",
                false);
    }

    private void shares(DemoCharts charts, double[] load) {
        html.chart(
                "shares",
                charts.shares(),
                ("Choice 1 is the expert with the highest score. Balanced: %.1f %%"
                                + " each. Dead experts, which were never chosen: %s.")
                        .formatted(100.0 / load.length, dead(load)),
                false);
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
                        ? ("The time from the arrival of a flight in Kafka to the arrival of"
                                        + " its answer there, at %,d flights per second.")
                                .formatted(rate)
                        : "The time from the arrival of a flight in Kafka to the arrival of its"
                                + " answer there. The flights are sent as fast as Kafka accepts them"
                                + " and wait in Kafka. Use --rate to measure the latency below full"
                                + " speed.");
        html.chart(
                "latency",
                charts.latency(),
                "Committed: a read_committed reader sees the answer, which is after the next"
                        + " checkpoint. The slowest half per cent is not shown.",
                false);
        html.chart(
                "latency-run",
                charts.latencyOverRun(),
                "By the time at which a flight was sent. The first flight is not shown, because it"
                        + " waits for the start of the job.",
                false);
    }

    private void answers() {
        Quality quality = report.quality();
        if (quality.measurable().isEmpty()) {
            html.section(
                    "Answers",
                    "All flights were late, or all were on time, so the quality of the answers"
                            + " cannot be measured.");
            return;
        }
        QualityCharts charts = new QualityCharts(quality);
        html.section(
                "Answers",
                "How well the probabilities predict which flights are %s."
                        .formatted(
                                quality.tasks().stream()
                                        .map(task -> task.task().title())
                                        .collect(Collectors.joining(", "))));
        html.chart(
                "roc",
                charts.roc(),
                "AUC, the area under the curve: %s. A random prediction has 0.5."
                        .formatted(quality.aucs()),
                false);
        html.chart(
                "calibration",
                charts.calibration(),
                "Flights grouped by predicted probability, with 95 % intervals. On the dashed line,"
                        + " the predicted probability equals the observed frequency.",
                false);
        html.table("tasks", "Tasks", Quality.COLUMNS, quality.rows());
    }

    private void figures(Map<String, String> options) {
        html.section("The run", "All figures, and the options of the job.");
        html.table(
                "figures",
                "Figures",
                List.of("", ">", ""),
                report.figures().stream().map(Figure::cells).toList());
        html.table(
                "options",
                "Options",
                List.of("option", "value"),
                new TreeMap<>(ConfigurationUtils.hideSensitiveValues(options))
                        .entrySet().stream()
                                .map(option -> List.of(option.getKey(), option.getValue()))
                                .toList());
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
