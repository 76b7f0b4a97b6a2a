// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.scoring.cli.JobOptions;
import io.flinkmoe.tools.bench.capacity.BenchCapacityCommand;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.bench.state.BenchStateCommand;
import io.flinkmoe.tools.statistics.Rounds;
import io.flinkmoe.tools.text.Arguments;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.util.FileUtils;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures flink-moe on this machine and compares it with alternatives. */
@Command(
        name = "bench",
        description = {
            "Measure flink-moe on this machine and compare it with alternatives.",
            "",
            "All contenders run the same MoE layer on 2 cores, one after another, in this process:",
            "  limit                  the layer without Flink, in large batches",
            "  floor                  flink-moe-replicated with experts that return their input",
            "  per-record             a Flink map function that scores each record alone",
            "  fused                  one Flink operator with ONNX Runtime's MoE node",
            "  flink-moe              the operators at parallelism 2",
            "  flink-moe-p1           the operators at parallelism 1",
            "  flink-moe-replicated   parallelism 2, all experts in each subtask",
            "  flink-moe-capacity     parallelism 2, capacity 1.25 times an expert's share",
            "  flink-moe-prioritized  the same, admitted at the close of each window",
            "",
            "For flink-moe it also measures the speed from Kafka to Kafka with exactly-once"
                    + " delivery, the latency below full speed, how soon answers are visible in"
                    + " Kafka by placement, moe.latency and delivery, the speed with records in JSON"
                    + " and Avro, the cost of checkpoints, of hops between operators, of several"
                    + " gates and of typed columns, and how the speed depends on N (experts), k"
                    + " (experts per token) and d (vector width). It takes up to an hour. Nothing"
                    + " else should run meanwhile."
        },
        subcommands = {
            BenchRoutingCommand.class,
            BenchCapacityCommand.class,
            BenchStateCommand.class
        },
        footer = {
            "  moe bench                   run everything; write bench.json and plots",
            "  moe bench --quick           run a short version, in under 3 minutes",
            "  moe bench --parts compare --shapes medium --contenders limit,flink-moe",
            "  moe bench routing           measure how fast experts are selected, on one core",
            "  moe bench capacity          measure what a capacity costs in quality",
            "  moe bench state             measure what an open window costs in state and time"
        })
@Internal
public final class BenchCommand implements Callable<Integer> {

    private static final Duration WARM_UP = Duration.ofSeconds(4);
    private static final String QUICK_SHAPE = "medium";
    private static final String VISIBLE_SHAPE = "flights";

    private static final List<String> SHAPES = Shape.ALL.stream().map(Shape::name).toList();

    private enum Part {
        COMPARE,
        KAFKA,
        LATENCY,
        CHECKPOINTS,
        GATES,
        COLUMNS,
        HOPS,
        GROWTH,
        VISIBLE,
        FORMATS;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Spec private CommandSpec spec;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            defaultValue = "bench.json",
            description =
                    "The JSON file for the figures; plots are written beside it. Default:"
                            + " bench.json.")
    private Path output;

    @Option(
            names = "--quick",
            description =
                    "Run two short rounds of the part compare, and of the parts kafka and latency"
                            + " for the shape medium only.")
    private boolean quick;

    @Option(
            names = "--shapes",
            split = ",",
            paramLabel = "NAME",
            description =
                    "The shapes to measure: flights, medium, fine-grained, large. Default: all.")
    private List<String> shapes = SHAPES;

    @Option(
            names = "--contenders",
            split = ",",
            paramLabel = "NAME",
            description =
                    "The contenders to compare: limit, floor, per-record, fused, flink-moe-p1,"
                            + " flink-moe, flink-moe-replicated, flink-moe-capacity,"
                            + " flink-moe-prioritized. Default: all.")
    private List<String> contenders = Contenders.NAMES;

    @Option(
            names = "--parts",
            split = ",",
            paramLabel = "PART",
            description = "The parts to run: ${COMPLETION-CANDIDATES}. Default: all.")
    private List<Part> parts;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            description = "The number of counted rounds. Default: 3; with --quick: 2.")
    private Integer rounds;

    @Option(
            names = "-D",
            paramLabel = "KEY=VALUE",
            description = "Any Flink option or moe.* option, to measure its effect.")
    private Map<String, String> defined = new LinkedHashMap<>();

    @Override
    public Integer call() throws Exception {
        checkArguments();
        Configuration options = JobOptions.join(List.of(defined));
        Path folder = Files.createTempDirectory("flink-moe-bench-");
        BenchReport report = new BenchReport(output, spec.commandLine().getOut());
        try (Bench bench =
                Bench.start(
                        folder,
                        new Rounds(
                                rounds != null ? rounds : quick ? 2 : 3,
                                Duration.ofMillis(quick ? 500 : 3000)),
                        options,
                        this::print)) {
            bench.warmUp(quick ? 1 : 4, quick ? WARM_UP.dividedBy(8) : WARM_UP, contenders);
            for (Shape shape : Shape.ALL) {
                if (shapes.contains(shape.name())) {
                    measure(bench, shape, report);
                }
            }
            if (measures(Part.HOPS)) {
                report.hops(bench.hops());
            }
            if (measures(Part.GROWTH)) {
                report.growth(bench.growth());
            }
        } finally {
            FileUtils.deleteDirectoryQuietly(folder.toFile());
        }
        print("%nThe figures are in %s, the plots beside it.".formatted(output));
        return 0;
    }

    private void measure(Bench bench, Shape shape, BenchReport report) throws Exception {
        if (measures(Part.COMPARE)) {
            report.compared(shape, bench.compare(shape, contenders));
        }
        boolean chosen = !quick || parts != null || shape.name().equals(QUICK_SHAPE);
        if (measures(Part.KAFKA) && chosen) {
            report.kafka(shape, bench.kafka(shape));
        }
        if (measures(Part.LATENCY) && chosen) {
            report.latency(shape, bench.latency(shape));
        }
        if (measures(Part.CHECKPOINTS) && chosen) {
            report.checkpoints(shape, bench.checkpoints(shape));
        }
        if (measures(Part.VISIBLE) && (parts != null || shape.name().equals(VISIBLE_SHAPE))) {
            report.visible(shape, bench.visible(shape));
        }
        if (measures(Part.FORMATS) && (parts != null || shape.name().equals(VISIBLE_SHAPE))) {
            report.formats(shape, bench.formats(shape));
        }
        if (measures(Part.GATES) && GatesCost.SHAPES.contains(shape.name())) {
            report.pair(shape, bench.gates(shape));
        }
        if (measures(Part.COLUMNS) && ColumnsCost.SHAPE.equals(shape.name())) {
            report.pair(shape, bench.columns(shape));
        }
    }

    private boolean measures(Part part) {
        if (parts != null) {
            return parts.contains(part);
        }
        return !quick || part.compareTo(Part.LATENCY) <= 0;
    }

    private void checkArguments() {
        Arguments arguments = new Arguments(spec);
        arguments.checkNames("--shapes", shapes, SHAPES);
        arguments.checkNames("--contenders", contenders, Contenders.NAMES);
        if (rounds != null && rounds < 1) {
            throw arguments.refused("--rounds is %d; allowed: 1 or more", rounds);
        }
        arguments.checkOutput(output);
    }

    private void print(String line) {
        PrintWriter out = spec.commandLine().getOut();
        out.println(line);
        out.flush();
    }
}
