// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.scoring.cli.TextTable;
import io.flinkmoe.tools.flights.ExpectedAnswers;
import io.flinkmoe.tools.flights.FlightLabels;
import io.flinkmoe.tools.statistics.Statistics;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.IntToLongFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/** The figures of a demo, as a table, and the errors that they show. */
@Internal
final class DemoReport {

    private final DemoResults results;
    private final GateShares gates;
    private final int[] scored;
    private final long[] load;
    private final long[] outcomes = new long[Outcome.values().length];
    private final Quality quality;
    private final AnswerCheck check;
    private final List<Figure> measured;

    /**
     * @param labels the true answers of the T flights to each task
     * @param expected the expected answers; null if overflow changes the answers
     * @param gates what the gates chose, with N experts
     * @param measured figures that the job has measured
     */
    DemoReport(
            DemoResults results,
            List<FlightLabels> labels,
            ExpectedAnswers expected,
            GateShares gates,
            List<Figure> measured) {
        this.results = results;
        this.gates = gates;
        this.measured = measured;
        scored = IntStream.range(0, results.tokens()).filter(results::isScored).toArray();
        load = new long[gates.numExperts()];
        for (int position : scored) {
            count(position);
        }
        quality = new Quality(results, labels, scored);
        check = expected == null ? null : new AnswerCheck(results, expected);
    }

    /** How well the answers predict the truth. */
    Quality quality() {
        return quality;
    }

    /** The largest difference of a probability from the expected one; 0 without a comparison. */
    double largestDifference() {
        return check == null ? 0 : check.largestDifference();
    }

    /** The errors; empty if all answers are correct. */
    List<String> defects() {
        List<String> defects = new ArrayList<>();
        if (results.missing() > 0) {
            defects.add("%,d tokens have no answer".formatted(results.missing()));
        }
        if (results.surplus() > 0) {
            defects.add("%,d duplicate or unknown answers".formatted(results.surplus()));
        }
        if (results.deadLetters() > 0) {
            defects.add("%,d tokens were rejected".formatted(results.deadLetters()));
        }
        if (check != null) {
            defects.addAll(check.defects());
        }
        return defects;
    }

    /** The figures as shown, in order. */
    List<Figure> figures() {
        List<Figure> figures = new ArrayList<>();
        figures.add(new Figure("tokens in", figure(results.tokens()), ""));
        figures.add(
                new Figure(
                        "tokens out",
                        figure(results.distinct()),
                        "%,d missing, %,d duplicated"
                                .formatted(results.missing(), results.surplus())));
        figures.add(new Figure("dead letters", figure(results.deadLetters()), ""));
        if (withoutOutput() > 0) {
            figures.add(
                    new Figure(
                            "without output",
                            figure(withoutOutput()),
                            "tokens, none of whose choices was executed"));
        }
        figures.add(new Figure("throughput", figure(tokensPerSecond()), "tokens/s"));
        figures.add(latency("latency until scored", results::scoredAt));
        figures.add(latency("latency until committed", results::committedAt));
        figures.addAll(quality.figures());
        if (check != null) {
            figures.addAll(check.figures());
        }
        long choices = Arrays.stream(outcomes).sum();
        for (Outcome outcome : Outcome.values()) {
            long n = outcomes[outcome.ordinal()];
            if (n > 0 || outcome == Outcome.EXECUTED || outcome == Outcome.OVERFLOWED) {
                figures.add(
                        new Figure(
                                outcome.name().toLowerCase(Locale.ROOT),
                                figure(n),
                                "choices, %.1f %%".formatted(100.0 * n / Math.max(1, choices))));
            }
        }
        figures.addAll(measured);
        return figures;
    }

    /** The whole report as text. */
    @Override
    public String toString() {
        TextTable table = new TextTable("", ">", "");
        for (Figure figure : figures()) {
            table.row(figure.cells().toArray());
        }
        List<TextTable> tables = new ArrayList<>(List.of(table));
        if (quality.isOfSeveral()) {
            tables.add(quality.table());
        }
        tables.add(loadTable());
        if (gates.areSeveral()) {
            tables.add(gateTable());
        }
        return tables.stream()
                .map(TextTable::toString)
                .collect(Collectors.joining(System.lineSeparator()));
    }

    /** The choices that each expert executed, [N]. */
    long[] load() {
        return load;
    }

    /** The positions of the tokens that have an answer, ascending. */
    int[] scored() {
        return scored;
    }

    /** What the gates chose. */
    GateShares gates() {
        return gates;
    }

    /** The latencies of these tokens, in milliseconds. */
    long[] latencies(IntToLongFunction until) {
        return Arrays.stream(scored)
                .mapToLong(i -> until.applyAsLong(i) - results.producedAt(i))
                .toArray();
    }

    private TextTable loadTable() {
        String mark = Charset.defaultCharset().newEncoder().canEncode('\u2588') ? "\u2588" : "#";
        long all = Math.max(1, Arrays.stream(load).sum());
        long most = Math.max(1, Arrays.stream(load).max().orElse(1));
        TextTable table =
                new TextTable(
                        ">expert", check == null ? ">choices executed" : ">tokens", ">share", "");
        for (int expert = 0; expert < load.length; expert++) {
            table.row(
                    expert,
                    figure(load[expert]),
                    "%.1f %%".formatted(100.0 * load[expert] / all),
                    mark.repeat((int) (30 * load[expert] / most)));
        }
        return table;
    }

    private TextTable gateTable() {
        TextTable table = new TextTable("gate", ">expert", ">share of choices", ">mean weight");
        for (int gate = 0; gate < gates.names().size(); gate++) {
            for (int expert = 0; expert < gates.numExperts(); expert++) {
                double weight = gates.meanWeight(gate, expert);
                table.row(
                        gates.names().get(gate),
                        expert,
                        Double.isNaN(weight)
                                ? "-"
                                : "%.1f %%".formatted(100 * gates.share(gate, expert)),
                        Double.isNaN(weight) ? "-" : "%.3f".formatted(weight));
            }
        }
        return table;
    }

    private int withoutOutput() {
        return (int) Arrays.stream(scored).filter(i -> !results.hasOutput(i)).count();
    }

    private Figure latency(String name, IntToLongFunction until) {
        long[] millis = latencies(until);
        return new Figure(
                name,
                figure(Statistics.percentile(millis, 0.5)),
                "ms p50, %,d ms p99".formatted(Statistics.percentile(millis, 0.99)));
    }

    /**
     * Measured from the second token to the last answer in Kafka. The first token waits for the
     * start of the job.
     */
    private long tokensPerSecond() {
        int[] timed = Arrays.stream(scored).filter(position -> position > 0).toArray();
        long start = Arrays.stream(timed).mapToLong(results::producedAt).min().orElse(0);
        long end = Arrays.stream(timed).mapToLong(results::scoredAt).max().orElse(0);
        return timed.length * 1000L / Math.max(1, end - start);
    }

    private void count(int position) {
        for (int choice = 0; choice < results.experts(position).length; choice++) {
            Outcome outcome = results.outcomes(position)[choice];
            outcomes[outcome.ordinal()]++;
            if (outcome == Outcome.EXECUTED || outcome == Outcome.REROUTED) {
                load[results.experts(position)[choice]]++;
            }
        }
    }

    private static String figure(long value) {
        return "%,d".formatted(value);
    }
}
