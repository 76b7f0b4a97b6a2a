// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import io.flinkmoe.scoring.cli.JobOptions;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.text.Arguments;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.util.FileUtils;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures what an open window costs: state, checkpoints, restore and close. */
@Command(
        name = "state",
        description = {
            "Measure what an open capacity window costs: state, checkpoints, restore and close.",
            "",
            "Scores tokens from memory at parallelism 2, with capacity factor 1.25, prioritized"
                    + " admission and stream names of 16 bytes. For each shape, state backend and number"
                    + " of tokens in a window, it measures:",
            "  - the bytes per token of the open window in a full, uncompressed checkpoint, without"
                    + " those of the job when no window is open; and the heap per waiting token",
            "  - bytes and duration of a checkpoint after each eighth of the window; with rocksdb"
                    + " incremental, compared with the bytes per token that came in",
            "  - the restore of the full window, without the time that a start takes anyway",
            "  - the time from the window's end to its last answer, compared with the same layer"
                    + " without Flink. That computes all choices, the job only admitted ones",
            "  - the longest checkpoint, at an interval of 100 ms, while windows close and input"
                    + " comes at full speed; aligned and unaligned",
            "",
            "Figures with a mark show whether they meet it. More tables show which task holds the"
                    + " bytes, and where the longest checkpoint spent its time."
        },
        footer = {
            "  JVM_ARGS=-Xmx8g moe bench state   run everything, in about 40 minutes",
            "  moe bench state --quick           flights with 100,000 tokens, in under 2 minutes",
            "  moe bench state --shapes flights --backends rocksdb --tokens 1000000",
            "  moe bench state --tokens 100000 --parts aligned,unaligned",
            "",
            "A setting that needs more heap than the JVM has is skipped. Nothing else should run"
                    + " meanwhile."
        })
@Internal
public final class BenchStateCommand implements Callable<Integer> {

    private static final List<String> SHAPES = Shape.ALL.stream().map(Shape::name).toList();
    private static final List<String> DEFAULT_SHAPES = List.of("flights", "medium");
    private static final List<Integer> DEFAULT_TOKENS = List.of(100_000, 1_000_000);

    /** One part for each checkpoint of the growing window must not be empty. */
    private static final int MIN_TOKENS = 1000;

    private static final int MAX_TOKENS = 100_000_000;

    @Spec private CommandSpec spec;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            defaultValue = "bench-state.json",
            description = "The JSON file for the figures. Default: bench-state.json.")
    private Path output;

    @Option(
            names = "--quick",
            description =
                    "Measure windows of 100,000 tokens of the shape flights only, unless --tokens"
                            + " or --shapes is given, and for a shorter time.")
    private boolean quick;

    @Option(
            names = "--shapes",
            split = ",",
            paramLabel = "NAME",
            description =
                    "The shapes to measure: flights, medium, fine-grained, large. Default:"
                            + " flights,medium.")
    private List<String> shapes;

    @Option(
            names = "--backends",
            split = ",",
            paramLabel = "NAME",
            description =
                    "The state backends: ${COMPLETION-CANDIDATES}. 'heap' logs changes, as the"
                            + " scoring job does; 'unlogged' is the heap without the log. Default:"
                            + " heap,rocksdb.")
    private List<Backend> backends = List.of(Backend.HEAP, Backend.ROCKSDB);

    @Option(
            names = "--tokens",
            split = ",",
            paramLabel = "N",
            description = "The tokens of a window: 1000 or more. Default: 100000,1000000.")
    private List<Integer> tokens;

    @Option(
            names = "--parts",
            split = ",",
            paramLabel = "NAME",
            description =
                    "What is measured: ${COMPLETION-CANDIDATES}. 'window' is an open window with its"
                            + " checkpoints, restore and close; the others are the longest"
                            + " checkpoint of each kind. Default: all.")
    private Set<Part> parts = EnumSet.allOf(Part.class);

    @Option(
            names = "-D",
            paramLabel = "KEY=VALUE",
            description = "Any Flink option or moe.* option, to measure its effect.")
    private Map<String, String> defined = new LinkedHashMap<>();

    @Override
    public Integer call() throws Exception {
        List<StateSetting> settings = settings();
        new Arguments(spec).checkOutput(output);
        Configuration options = JobOptions.join(List.of(defined));
        Path folder = Files.createTempDirectory("flink-moe-bench-");
        StateReport report = new StateReport(output, spec.commandLine().getOut());
        Duration time = Duration.ofSeconds(quick ? 3 : 10);
        try (StateBench bench = new StateBench(folder, time, options, this::print)) {
            for (StateSetting setting : settings) {
                if (setting.neededHeap() <= Runtime.getRuntime().maxMemory()) {
                    bench.measure(setting, EnumSet.copyOf(parts), report);
                } else {
                    print(
                            "%s: skipped, because it needs more heap: JVM_ARGS=-Xmx%dg"
                                    .formatted(setting, (setting.neededHeap() >> 30) + 1));
                }
            }
        } finally {
            FileUtils.deleteDirectoryQuietly(folder.toFile());
        }
        print("%nThe figures are in %s.".formatted(output));
        return 0;
    }

    private List<StateSetting> settings() {
        List<String> names = shapes != null ? shapes : quick ? List.of("flights") : DEFAULT_SHAPES;
        List<Integer> sizes = tokens != null ? tokens : quick ? List.of(100_000) : DEFAULT_TOKENS;
        Arguments arguments = new Arguments(spec);
        arguments.checkNames("--shapes", names, SHAPES);
        for (int size : sizes) {
            if (size < MIN_TOKENS || size > MAX_TOKENS) {
                throw arguments.refused(
                        "--tokens has %d; allowed: %d to %d", size, MIN_TOKENS, MAX_TOKENS);
            }
        }
        List<StateSetting> settings = new ArrayList<>();
        for (Shape shape : Shape.ALL) {
            if (names.contains(shape.name())) {
                for (int size : sizes) {
                    for (Backend backend : backends) {
                        settings.add(new StateSetting(shape, backend, size));
                    }
                }
            }
        }
        return settings;
    }

    private void print(String line) {
        PrintWriter out = spec.commandLine().getOut();
        out.println(line);
        out.flush();
    }
}
