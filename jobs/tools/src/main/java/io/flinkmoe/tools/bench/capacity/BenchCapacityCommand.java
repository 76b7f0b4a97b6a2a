// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.capacity;

import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.tools.flights.Flights;
import io.flinkmoe.tools.machine.Installation;
import io.flinkmoe.tools.statistics.Rounds;
import io.flinkmoe.tools.text.Arguments;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.FileUtils;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures what a capacity costs in quality and speed, with real flights. */
@Command(
        name = "capacity",
        description = {
            "Measure what a capacity costs in quality, with real flights.",
            "",
            "Scores the demo's flights from memory to memory at parallelism 2: with capacity"
                    + " factors from 0.5 to 2, each with both overflow policies (residual and"
                    + " next-expert), and without a limit (dropless). It takes about 3 minutes. Nothing"
                    + " else should run meanwhile.",
            "",
            "Speeds are medians of 3 rounds. Latencies are measured from the time at which a flight"
                    + " is due, for all settings at the same rate: half the speed of the slowest"
                    + " setting. Admission is prioritized, with windows of one hour of event time. With"
                    + " a capacity, a flight also waits until its window closes, here for the time in"
                    + " which one hour's flights arrive at that rate."
        },
        footer = {
            "  moe bench capacity                  write capacity.md and its plot",
            "  moe bench capacity --order position",
            "  moe bench capacity --quick          run a short test, in under a minute"
        })
@Internal
public final class BenchCapacityCommand implements Callable<Integer> {

    /** Approximate, because a pass consists of whole laps. */
    private static final int TOKENS_PER_PASS = 500_000;

    /** The first hours of the first day. */
    private static final int MIN_EVENTS = 1000;

    private static final int QUICK_EVENTS = 6000;

    @Spec private CommandSpec spec;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            defaultValue = "capacity.md",
            description =
                    "The Markdown file for the table; the plot is written beside it. Default:"
                            + " capacity.md.")
    private Path output;

    @Option(
            names = "--events",
            paramLabel = "N",
            description =
                    "The number of flights to score, from the first one: 1000 or more. Default:"
                            + " all; with --quick: 6000.")
    private Integer events;

    @Option(
            names = "--order",
            paramLabel = "ORDER",
            defaultValue = "gate-score",
            description =
                    "Which tokens are admitted first if the capacity is too small:"
                            + " ${COMPLETION-CANDIDATES}. Default: gate-score.")
    private AdmissionOrder order;

    @Option(
            names = "--quick",
            description =
                    "Score fewer flights, each once, in short passes. The speeds are then"
                            + " imprecise.")
    private boolean quick;

    @Override
    public Integer call() throws Exception {
        checkArguments();
        Path flightsFolder = Installation.here().flights();
        int limit = events != null ? events : quick ? QUICK_EVENTS : Integer.MAX_VALUE;
        Flights flights = Flights.read(flightsFolder, limit);
        List<Token> tokens = flights.tokens();
        Path folder = Files.createTempDirectory("flink-moe-bench-");
        CheckpointImporter.importBundle(
                flightsFolder.resolve("checkpoint"),
                flightsFolder.resolve("encoder.onnx"),
                flightsFolder.resolve("head.onnx"),
                folder.resolve("bundle"));
        try (CapacityBench bench =
                CapacityBench.start(
                        new Workload(
                                folder.resolve("bundle"),
                                tokens,
                                quick ? 1 : 1 + TOKENS_PER_PASS / tokens.size(),
                                order),
                        new Rounds(quick ? 1 : 3, Duration.ofSeconds(quick ? 1 : 5)),
                        this::print)) {
            CapacityReport report =
                    new CapacityReport(
                            bench.measure(),
                            flights.late(),
                            hours(tokens),
                            order,
                            bench.steadyRate());
            print("%n%s".formatted(report));
            Files.writeString(output, report.markdown());
            Files.writeString(plot(), report.svg());
        } finally {
            FileUtils.deleteDirectoryQuietly(folder.toFile());
        }
        print("The table is in %s, the plot in %s.".formatted(output, plot()));
        return 0;
    }

    private static double hours(List<Token> tokens) {
        long first = tokens.get(0).timestamp();
        long last = tokens.get(tokens.size() - 1).timestamp();
        return (double) (last - first) / Duration.ofHours(1).toMillis();
    }

    private Path plot() {
        String name = output.getFileName().toString().replaceFirst("\\.md$", "");
        return output.resolveSibling(name + ".svg");
    }

    private void checkArguments() {
        Arguments arguments = new Arguments(spec);
        if (events != null && events < MIN_EVENTS) {
            throw arguments.refused("--events is %d; allowed: %d or more", events, MIN_EVENTS);
        }
        arguments.checkOutput(output);
    }

    private void print(String line) {
        PrintWriter out = spec.commandLine().getOut();
        out.println(line);
        out.flush();
    }
}
