// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.capacity;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.config.MoeOptions.OverflowPolicy;
import io.flinkmoe.scoring.cli.TextTable;
import io.flinkmoe.tools.chart.Axis;
import io.flinkmoe.tools.chart.LineChart;
import io.flinkmoe.tools.chart.Series;
import io.flinkmoe.tools.statistics.Statistics;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Reports what capacities cost in quality: a table for the terminal and for Markdown, and a plot.
 */
@Internal
final class CapacityReport {

    private static final String[] COLUMNS = {
        "capacity factor",
        "overflow policy",
        ">overflow %",
        ">rerouted %",
        ">AUC",
        ">tokens/s",
        ">p99 ms"
    };

    private final List<CapacityResult> results;
    private final boolean[] late;
    private final double hours;
    private final AdmissionOrder order;
    private final double steadyRate;

    /**
     * @param late T labels: whether the flight was late
     * @param hours the hours of event time that the flights span
     * @param steadyRate the tokens per second at which latencies were measured
     */
    CapacityReport(
            List<CapacityResult> results,
            boolean[] late,
            double hours,
            AdmissionOrder order,
            double steadyRate) {
        this.results = results;
        this.late = late;
        this.hours = hours;
        this.order = order;
        this.steadyRate = steadyRate;
    }

    /** The table for a terminal. */
    @Override
    public String toString() {
        TextTable table = new TextTable(COLUMNS);
        for (CapacityResult result : results) {
            table.row((Object[]) cells(result));
        }
        return table.toString();
    }

    /** The table with a caption that explains how it was measured. */
    String markdown() {
        StringBuilder text = new StringBuilder();
        List<String> lines = new ArrayList<>();
        for (String column : COLUMNS) {
            text.append("| ").append(column.replace(">", "")).append(' ');
            lines.add(column.startsWith(">") ? "---:" : "---");
        }
        text.append("|\n| ").append(String.join(" | ", lines)).append(" |\n");
        for (CapacityResult result : results) {
            text.append("| ").append(String.join(" | ", cells(result))).append(" |\n");
        }
        return text.append('\n').append(caption()).append('\n').toString();
    }

    private String caption() {
        return ("%,d flights, 8 experts, top 2, windows of one hour of event time, prioritized"
                        + " admission in order %s, parallelism 2, from memory to memory. Overflow and"
                        + " rerouted are shares of all choices. Tokens/s is the highest speed. p99 is"
                        + " the latency from the time at which a flight is due, at %,.0f tokens/s. With"
                        + " a capacity, a flight also waits until its window closes. The flights of one"
                        + " hour take %.0f ms at that rate (in production they would take one hour).")
                .formatted(
                        late.length, order, steadyRate, 1000 * late.length / (hours * steadyRate));
    }

    /** A plot of quality against the capacity factor. */
    String svg() {
        List<Series> series = new ArrayList<>();
        for (OverflowPolicy policy : OverflowPolicy.values()) {
            List<CapacityResult> ofPolicy =
                    results.stream().filter(r -> r.setting().overflow() == policy).toList();
            series.add(
                    Series.of(
                            policy.toString(),
                            ofPolicy.stream().mapToDouble(r -> r.setting().factor()).toArray(),
                            ofPolicy.stream().mapToDouble(this::auc).toArray()));
        }
        double[] factors = series.get(0).x();
        double[] ends = {factors[0], factors[factors.length - 1]};
        for (CapacityResult result : results) {
            if (result.setting().isDropless()) {
                double auc = auc(result);
                series.add(Series.of("dropless", ends, new double[] {auc, auc}).asBaseline());
            }
        }
        return LineChart.of(
                        "Quality against capacity, order " + order,
                        Axis.linear("capacity factor").range(ends[0], ends[1]),
                        Axis.linear("AUC"),
                        series)
                .svg();
    }

    private String[] cells(CapacityResult result) {
        return new String[] {
            result.setting().factorName(),
            result.setting().overflowName(),
            "%.1f".formatted(100 * result.overflowed()),
            "%.1f".formatted(100 * result.rerouted()),
            "%.4f".formatted(auc(result)),
            "%,.0f".formatted(result.rate()),
            "%.1f".formatted(result.p99())
        };
    }

    private double auc(CapacityResult result) {
        return Statistics.auc(result.scores(), late);
    }
}
