package io.flinkmoe.tools.bench.capacity;

import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.tools.flights.Flights;
import io.flinkmoe.tools.machine.Installation;
import io.flinkmoe.tools.statistics.Rounds;
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
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What a capacity costs in quality, and what it does to speed, for real flights. */
@Command(
        name = "capacity",
        description = {
            "Measure what a capacity costs in quality, for real flights.",
            "",
            "Scores the demo's flights, from memory to memory at parallelism 2, with capacity"
                    + " factors from 0.5 to 2 and without a limit (dropless), each factor with both"
                    + " policies for choices that find no room: residual and next-expert. Takes"
                    + " about 3 minutes; nothing else should run meanwhile.",
            "",
            "Speeds are medians of 3 rounds. Latencies are counted from when a flight is due, for"
                    + " all settings at one pace: half of the slowest's speed. Admission is"
                    + " prioritized, by windows of an hour of event time: with a capacity a flight"
                    + " also waits until its window closes, here as long as an hour's flights take"
                    + " to come by at that pace."
        },
        footer = {
            "  moe bench capacity                  the table to capacity.md, the plot beside it",
            "  moe bench capacity --order position",
            "  moe bench capacity --quick          under a minute, to see that it works"
        })
@Internal
public final class BenchCapacityCommand implements Callable<Integer> {

    /** About so many, in whole laps. */
    private static final int TOKENS_OF_PASS = 500_000;

    /** Some hours of the first day. */
    private static final int LEAST_EVENTS = 1000;

    private static final int QUICK_EVENTS = 6000;

    @Spec private CommandSpec spec;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            defaultValue = "capacity.md",
            description =
                    "Where the table goes, as Markdown; the plot goes beside it. Default:"
                            + " capacity.md.")
    private Path output;

    @Option(
            names = "--events",
            paramLabel = "N",
            description =
                    "Flights to score, from the first on, 1000 or more. Default: all; with --quick"
                            + " 6000.")
    private Integer events;

    @Option(
            names = "--order",
            paramLabel = "ORDER",
            defaultValue = "gate-score",
            description =
                    "Who comes first where room is short: ${COMPLETION-CANDIDATES}. Default:"
                            + " gate-score.")
    private AdmissionOrder order;

    @Option(
            names = "--quick",
            description = "Fewer flights, each once, and short passes: speeds are then rough.")
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
                                quick ? 1 : 1 + TOKENS_OF_PASS / tokens.size(),
                                order),
                        new Rounds(quick ? 1 : 3, Duration.ofSeconds(quick ? 1 : 5)),
                        this::say)) {
            CapacityReport report =
                    new CapacityReport(
                            bench.measure(), flights.late(), hours(tokens), order, bench.pace());
            say("%n%s".formatted(report));
            Files.writeString(output, report.markdown());
            Files.writeString(plot(), report.svg());
        } finally {
            FileUtils.deleteDirectoryQuietly(folder.toFile());
        }
        say("The table is in %s, the plot in %s.".formatted(output, plot()));
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
        if (events != null && events < LEAST_EVENTS) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--events is %d; allowed: %d or more".formatted(events, LEAST_EVENTS));
        }
        Path parent = output.toAbsolutePath().getParent();
        if (Files.isDirectory(output) || !Files.isWritable(parent)) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--output is '%s'; give a file in a directory that can be written to"
                            .formatted(output));
        }
    }

    private void say(String line) {
        PrintWriter out = spec.commandLine().getOut();
        out.println(line);
        out.flush();
    }
}
