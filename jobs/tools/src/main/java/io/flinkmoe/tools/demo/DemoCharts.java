// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.tools.chart.Axis;
import io.flinkmoe.tools.chart.BarChart;
import io.flinkmoe.tools.chart.HeatMap;
import io.flinkmoe.tools.chart.LineChart;
import io.flinkmoe.tools.chart.Series;
import io.flinkmoe.tools.statistics.Statistics;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.IntToLongFunction;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.TimeUtils;

/** The plots of a demo with at least one answer, each as an SVG element. */
@Internal
final class DemoCharts {

    private static final int WIDE = 1190;
    private static final int HALF = 587;
    private static final int HEIGHT = 330;

    /** The number of points of a line over the whole run. */
    private static final int SLICES = 40;

    private final DemoReport report;
    private final DemoResults results;
    private final DemoTimeline timeline;
    private final int numExperts;
    private final String perWindow;
    private final Axis time;
    private final Axis experts;
    private final List<String> names;

    DemoCharts(DemoReport report, DemoResults results, DemoTimeline timeline) {
        this.report = report;
        this.results = results;
        this.timeline = timeline;
        numExperts = timeline.load().length;
        perWindow =
                "per window of "
                        + TimeUtils.formatWithHighestUnit(Duration.ofMillis(timeline.width()));
        time = Axis.time("scheduled departure").range(timeline.start(), timeline.end());
        names = IntStream.range(0, numExperts).mapToObj(Integer::toString).toList();
        experts = Axis.categories("expert", names);
    }

    String load() {
        return heatMap(
                "Executed choices per expert", timeline.counts(Outcome.EXECUTED, Outcome.REROUTED));
    }

    String overflow() {
        return heatMap("Overflowed choices per expert", timeline.counts(Outcome.OVERFLOWED));
    }

    String outcomesOverTime() {
        return half(
                "Choices by outcome over event time",
                time,
                Axis.linear("choices " + perWindow),
                outcomes().stream()
                        .map(o -> Series.of(name(o), timeline.middles(), perWindow(o)))
                        .toList());
    }

    String outcomesPerExpert() {
        return bars(
                "Choices by outcome per expert",
                "choices",
                outcomes().stream().map(o -> Series.of(name(o), timeline.perExpert(o))).toList());
    }

    String imbalance() {
        double[] middles = timeline.middles();
        return half(
                "Imbalance of the experts",
                time,
                Axis.linear("CV² " + perWindow),
                List.of(
                        Series.of("load", middles, timeline.loadCv2()),
                        Series.of("importance", middles, timeline.importanceCv2())));
    }

    String entropy() {
        return half(
                "Entropy of the experts' shares",
                time,
                Axis.linear("% of the maximum, " + perWindow).range(0, 100),
                List.of(Series.of("", timeline.middles(), percent(timeline.evenness()))));
    }

    /** The share of each expert in the choices of each rank. */
    String shares() {
        int k = Arrays.stream(report.scored()).map(i -> results.experts(i).length).max().orElse(0);
        double[][] chosen = new double[k][numExperts];
        for (int token : report.scored()) {
            int[] choices = results.experts(token);
            for (int rank = 0; rank < choices.length; rank++) {
                if (choices[rank] >= 0) {
                    chosen[rank][choices[rank]] += 100.0 / report.scored().length;
                }
            }
        }
        return bars(
                "Share of the choices per expert",
                "% of the flights",
                IntStream.range(0, k)
                        .mapToObj(rank -> Series.of("choice " + (rank + 1), chosen[rank]))
                        .toList());
    }

    /** The share of each expert in the choices of each of several gates. */
    String gateShares() {
        return ofGates(
                "Share of each gate's choices per expert",
                Axis.linear("% of the gate's choices"),
                (gate, expert) -> 100 * report.gates().share(gate, expert));
    }

    /** The mean weight of each expert at each of several gates. */
    String gateWeights() {
        return ofGates(
                "Mean weight per gate and expert",
                Axis.linear("mean weight"),
                report.gates()::meanWeight);
    }

    private interface OfGateAndExpert {
        double of(int gate, int expert);
    }

    private String ofGates(String title, Axis scale, OfGateAndExpert value) {
        List<String> gates = report.gates().names();
        double[][] values = new double[gates.size()][numExperts];
        for (int gate = 0; gate < values.length; gate++) {
            for (int expert = 0; expert < numExperts; expert++) {
                values[gate][expert] = value.of(gate, expert);
            }
        }
        return HeatMap.of(title, experts, "gate", gates, scale, values).size(HALF, HEIGHT).svg();
    }

    String latency() {
        return half(
                "Distribution of the latency",
                Axis.log("milliseconds"),
                Axis.linear("% of the flights").range(0, 100),
                List.of(
                        distribution("until scored", results::scoredAt),
                        distribution("until committed", results::committedAt)));
    }

    String latencyOverRun() {
        return half(
                "Median latency over the run",
                Axis.linear("seconds since the start"),
                Axis.linear("milliseconds"),
                List.of(
                        medians("until scored", results::scoredAt),
                        medians("until committed", results::committedAt)));
    }

    /**
     * A point for each half per cent. The slowest half per cent is omitted, because it would
     * dominate the plot.
     */
    private Series distribution(String name, IntToLongFunction until) {
        long[] latencies = report.latencies(until);
        double[] percents = IntStream.rangeClosed(1, 199).mapToDouble(i -> i / 2.0).toArray();
        double[] millis =
                Arrays.stream(percents)
                        .map(percent -> Statistics.percentile(latencies, percent / 100))
                        .map(latency -> Math.max(1, latency))
                        .toArray();
        return Series.of(name, millis, percents);
    }

    /**
     * The medians of slices with equally many flights, in the order of sending. The first flight is
     * omitted.
     */
    private Series medians(String name, IntToLongFunction until) {
        // The partitions can receive the flights in another order.
        int[] sent =
                Arrays.stream(report.scored())
                        .filter(i -> i > 0)
                        .boxed()
                        .sorted(Comparator.comparingLong(results::producedAt))
                        .mapToInt(Integer::intValue)
                        .toArray();
        int slices = Math.min(SLICES, sent.length);
        long start = slices == 0 ? 0 : results.producedAt(sent[0]);
        double[] seconds = new double[slices];
        double[] medians = new double[slices];
        for (int slice = 0; slice < slices; slice++) {
            int from = (int) ((long) slice * sent.length / slices);
            int to = (int) ((slice + 1L) * sent.length / slices);
            int[] tokens = Arrays.copyOfRange(sent, from, to);
            seconds[slice] = (results.producedAt(tokens[tokens.length / 2]) - start) / 1000.0;
            long[] millis =
                    Arrays.stream(tokens)
                            .mapToLong(i -> until.applyAsLong(i) - results.producedAt(i))
                            .toArray();
            medians[slice] = Statistics.percentile(millis, 0.5);
        }
        return Series.of(name, seconds, medians);
    }

    private String heatMap(String title, double[][] choices) {
        Axis scale = Axis.linear("choices " + perWindow);
        return HeatMap.of(title, time, "expert", names, scale, choices)
                .size(WIDE, 130 + Math.min(480, 26 * numExperts))
                .svg();
    }

    private String bars(String title, String unit, List<Series> series) {
        return BarChart.of(title, experts, Axis.linear(unit), series).size(HALF, HEIGHT).svg();
    }

    /** A line chart of half the width of the page. */
    static String half(String title, Axis x, Axis y, List<Series> series) {
        return LineChart.of(title, x, y, series).size(HALF, HEIGHT).svg();
    }

    /** EXECUTED, and the other outcomes that occurred. */
    private List<Outcome> outcomes() {
        return Arrays.stream(Outcome.values())
                .filter(o -> o == Outcome.EXECUTED || timeline.total(o) > 0)
                .toList();
    }

    private double[] perWindow(Outcome outcome) {
        double[][] counts = timeline.counts(outcome);
        return IntStream.range(0, timeline.windows())
                .mapToDouble(w -> Arrays.stream(counts).mapToDouble(row -> row[w]).sum())
                .toArray();
    }

    private static double[] percent(double[] parts) {
        return Arrays.stream(parts).map(part -> 100 * part).toArray();
    }

    private static String name(Outcome outcome) {
        return outcome.name().toLowerCase(Locale.ROOT);
    }
}
