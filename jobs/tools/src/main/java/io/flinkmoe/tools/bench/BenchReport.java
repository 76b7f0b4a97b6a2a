// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.scoring.cli.TextTable;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.chart.Axis;
import io.flinkmoe.tools.chart.BarChart;
import io.flinkmoe.tools.chart.Series;
import io.flinkmoe.tools.statistics.FiguresFile;
import io.flinkmoe.tools.statistics.Rates;
import io.flinkmoe.tools.statistics.Spread;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Reports the results of the benchmark: a table per part on the terminal, all figures as JSON, and
 * a plot per shape beside the JSON file. The file is written after each part, so that no result is
 * lost.
 */
@Internal
final class BenchReport {

    private final Path file;
    private final PrintWriter out;
    private final FiguresFile figures;
    private final ObjectNode root;

    /**
     * @param file the JSON file
     */
    BenchReport(Path file, PrintWriter out) {
        this.file = file;
        this.out = out;
        this.figures = new FiguresFile(file);
        this.root = figures.root();
    }

    void compared(Shape shape, Rates rates) throws IOException {
        TextTable table =
                new TextTable(
                        shape.name(),
                        ">tokens/s",
                        ">min",
                        ">max",
                        ">flink-moe / this",
                        ">min",
                        ">max");
        ObjectNode json = root.withObject("/shapes").putObject(shape.name());
        ObjectNode ratios = root.withObject("/ratios").putObject(shape.name());
        for (String contender : rates.contenders()) {
            Spread rate = rates.of(contender);
            json.set(contender, rate.toJson());
            Spread ratio = rates.ratio(Contenders.FLINK_MOE, contender);
            if (ratio != null && !contender.equals(Contenders.FLINK_MOE)) {
                ratios.set(Contenders.FLINK_MOE + "/" + contender, ratio.toJson());
                row(table, contender, rate, ratio);
            } else {
                row(table, contender, rate, null);
            }
        }
        print(table);
        plot(shape, rates);
        save();
    }

    void kafka(Shape shape, Rates rates) throws IOException {
        TextTable table =
                new TextTable(
                        shape.name(),
                        ">tokens/s",
                        ">min",
                        ">max",
                        ">Kafka / memory",
                        ">min",
                        ">max");
        ObjectNode json = root.withObject("/kafka").putObject(shape.name());
        row(table, "memory to memory", rates.of("memory"), null);
        row(table, "Kafka to Kafka", rates.of("kafka"), rates.ratio("kafka", "memory"));
        json.set("memory", rates.of("memory").toJson());
        json.set("kafka", rates.of("kafka").toJson());
        json.set("kafka/memory", rates.ratio("kafka", "memory").toJson());
        print(table);
        save();
    }

    /** Users' own records, from Kafka to Kafka. */
    void formats(Shape shape, Rates rates) throws IOException {
        TextTable table =
                new TextTable(
                        shape.name(),
                        ">records/s",
                        ">min",
                        ">max",
                        ">format / token",
                        ">min",
                        ">max");
        ObjectNode json = root.withObject("/formats").putObject(shape.name());
        String token = FormatsPart.TOKEN;
        for (String format : rates.contenders()) {
            Spread ratio = format.equals(token) ? null : rates.ratio(format, token);
            row(table, format, rates.of(format), ratio);
            json.set(format, rates.of(format).toJson());
            if (ratio != null) {
                json.set(format + "/" + token, ratio.toJson());
            }
        }
        print(table);
        save();
    }

    void latency(Shape shape, List<Latency> latencies) throws IOException {
        TextTable table = latencies(shape.name());
        ObjectNode json = root.withObject("/latency").putObject(shape.name());
        latencies.forEach(latency -> add(latency, "", table, json));
        print(table);
        save();
    }

    /** From Kafka to a reader of Kafka. */
    void visible(Shape shape, List<VisibleLatency> latencies) throws IOException {
        TextTable table = latencies(shape.name() + ", Kafka to Kafka");
        ObjectNode all = root.withObject("/visible").putObject(shape.name());
        for (VisibleLatency latency : latencies) {
            String setting = latency.setting().toString();
            ObjectNode json = all.putObject(setting);
            json.put("highest_tokens_per_second", Math.round(latency.highest()));
            latency.loads().forEach(load -> add(load, setting, table, json));
        }
        print(table);
        save();
    }

    private static TextTable latencies(String name) {
        return new TextTable(name, ">load", ">tokens/s", ">p50 ms", ">p99 ms", ">p99.9 ms");
    }

    private static void add(Latency latency, String name, TextTable table, ObjectNode json) {
        String load = "%.0f%%".formatted(100 * latency.load());
        table.row(
                name,
                load,
                "%,.0f".formatted(latency.rate()),
                "%.1f".formatted(latency.p50()),
                "%.1f".formatted(latency.p99()),
                "%.1f".formatted(latency.p999()));
        json.putObject(load)
                .put("tokens_per_second", Math.round(latency.rate()))
                .put("p50_ms", latency.p50())
                .put("p99_ms", latency.p99())
                .put("p999_ms", latency.p999());
    }

    void checkpoints(Shape shape, CheckpointCost cost) throws IOException {
        out.printf(
                "%n  %s with one checkpoint per second: %.3f of the speed without checkpoints (%.3f"
                        + " to %.3f); a checkpoint takes %.0f ms and writes %,d bytes%n",
                shape.name(),
                cost.ratio().median(),
                cost.ratio().min(),
                cost.ratio().max(),
                cost.millis(),
                cost.bytes());
        out.flush();
        ObjectNode json = root.withObject("/checkpoints").putObject(shape.name());
        json.set("ratio", cost.ratio().toJson());
        json.put("millis", cost.millis()).put("bytes", cost.bytes());
        save();
    }

    /** The ratios are those of the times per token. */
    void pair(Shape shape, PairCost cost) throws IOException {
        TextTable table =
                new TextTable(
                        shape.name(),
                        ">tokens/s",
                        ">min",
                        ">max",
                        ">time / " + cost.pair().base(),
                        ">min",
                        ">max");
        ObjectNode json = root.withObject("/" + cost.pair().key()).putObject(shape.name());
        addPair(cost.pair(), cost.byClock(), "", table, json.putObject("by_clock"));
        addPair(cost.pair(), cost.byCpu(), ", CPU time", table, json.putObject("by_cpu_time"));
        table.row("mark", "", "", "", "%.2f".formatted(cost.pair().mark()), "", "");
        json.put("mark", cost.pair().mark());
        print(table);
        save();
    }

    private static void addPair(
            PairCost.Pair pair, Rates rates, String by, TextTable table, ObjectNode json) {
        Spread base = rates.of(pair.base());
        Spread other = rates.of(pair.other());
        Spread ratio = rates.ratio(pair.base(), pair.other());
        row(table, pair.base() + by, base, null);
        row(table, pair.other() + by, other, ratio);
        json.set(PairCost.Pair.key(pair.base()), base.toJson());
        json.set(PairCost.Pair.key(pair.other()), other.toJson());
        json.set("time_ratio", ratio.toJson());
    }

    void hops(List<HopCost> costs) throws IOException {
        TextTable table = new TextTable("hop between operators", ">microseconds per token");
        ObjectNode json = root.withObject("/hop_micros");
        for (HopCost cost : costs) {
            table.row("d=" + cost.d(), "%.2f".formatted(cost.micros()));
            json.put("d=" + cost.d(), cost.micros());
        }
        print(table);
        save();
    }

    void growth(List<Growth> all) throws IOException {
        TextTable table =
                new TextTable(">d", ">h", ">N", ">k", ">flink-moe", ">limit", ">flink-moe / limit");
        ArrayNode json = root.putArray("growth");
        for (Growth growth : all) {
            table.row(
                    growth.d(),
                    growth.h(),
                    growth.numExperts(),
                    growth.k(),
                    "%,.0f".formatted(growth.flinkMoe()),
                    "%,.0f".formatted(growth.limit()),
                    "%.2f".formatted(growth.flinkMoe() / growth.limit()));
            json.addObject()
                    .put("d", growth.d())
                    .put("h", growth.h())
                    .put("num_experts", growth.numExperts())
                    .put("k", growth.k())
                    .put("flink-moe", Math.round(growth.flinkMoe()))
                    .put("limit", Math.round(growth.limit()));
        }
        print(table);
        save();
    }

    private static void row(TextTable table, String name, Spread rate, Spread ratio) {
        table.row(
                name,
                "%,.0f".formatted(rate.median()),
                "%,.0f".formatted(rate.min()),
                "%,.0f".formatted(rate.max()),
                ratio == null ? "" : "%.2f".formatted(ratio.median()),
                ratio == null ? "" : "%.2f".formatted(ratio.min()),
                ratio == null ? "" : "%.2f".formatted(ratio.max()));
    }

    private void plot(Shape shape, Rates rates) throws IOException {
        List<String> names = new ArrayList<>(rates.contenders());
        double[] medians = new double[names.size()];
        double[] lows = new double[names.size()];
        double[] highs = new double[names.size()];
        for (int i = 0; i < names.size(); i++) {
            Spread rate = rates.of(names.get(i));
            medians[i] = rate.median();
            lows[i] = rate.min();
            highs[i] = rate.max();
        }
        BarChart chart =
                BarChart.of(
                        "%s: d=%d, h=%d, %d experts, top %d"
                                .formatted(
                                        shape.name(),
                                        shape.d(),
                                        shape.h(),
                                        shape.numExperts(),
                                        shape.k()),
                        Axis.categories("", names),
                        Axis.linear("tokens/s"),
                        List.of(Series.of("", medians).withErrors(lows, highs)));
        String name = file.getFileName().toString().replaceFirst("\\.json$", "");
        Files.writeString(file.resolveSibling(name + "-" + shape.name() + ".svg"), chart.svg());
    }

    private void print(TextTable table) {
        out.println();
        out.print(table);
        out.flush();
    }

    private void save() throws IOException {
        figures.save();
    }
}
