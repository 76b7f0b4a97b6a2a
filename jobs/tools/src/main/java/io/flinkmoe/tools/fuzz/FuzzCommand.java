// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import io.flinkmoe.scoring.cli.TextTable;
import io.flinkmoe.tools.fuzz.FuzzReport.Defect;
import io.flinkmoe.tools.text.Progress;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.FileUtils;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Feeds damaged bytes to every reader of untrusted bytes. */
@Command(
        name = "fuzz",
        description = {
            "Feed damaged bytes to the readers of records, bundles, checkpoints and ONNX files.",
            "",
            "The inputs are random bytes, and valid inputs with changes: flipped bits, truncated"
                    + " ends, joined parts, inflated lengths, replaced fields. Each reader runs in a"
                    + " separate JVM. It must accept an input or reject it with its documented"
                    + " exception. A crash, a hang of 20 s, more than 1 GiB of memory, an allocation"
                    + " out of proportion to the input, or any other exception is a defect."
        },
        footer = {
            "  moe fuzz                                   100,000 inputs per reader",
            "  moe fuzz --target token --target onnx-runtime --inputs 1000000 --seed 7",
            "  moe fuzz --target token --first 4711 --inputs 1    repeat one input"
        })
@Internal
public final class FuzzCommand implements Callable<Integer> {

    private static final int SHOWN_DEFECTS = 10;

    /** The names of the readers, for picocli. */
    static final class Names implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return FuzzTargets.names().iterator();
        }
    }

    @Spec private CommandSpec spec;

    @Option(
            names = "--seed",
            paramLabel = "S",
            defaultValue = "1",
            description = "The same seed creates the same inputs. Default: 1.")
    private long seed;

    @Option(
            names = "--inputs",
            paramLabel = "N",
            defaultValue = "100000",
            description = "The number of inputs per reader. Default: 100000.")
    private long inputs;

    @Option(
            names = "--first",
            paramLabel = "I",
            defaultValue = "0",
            description = "The number of the first input, to repeat an input. Default: 0.")
    private long first;

    @Option(
            names = "--target",
            paramLabel = "NAME",
            completionCandidates = Names.class,
            description =
                    "A reader to test: ${COMPLETION-CANDIDATES}. Repeat the option for several"
                            + " readers. Default: all.")
    private List<String> targets = new ArrayList<>();

    @Option(
            names = "--keep",
            paramLabel = "DIR",
            defaultValue = "fuzz-defects",
            description = "The folder for inputs that show a defect. Default: fuzz-defects.")
    private Path keep;

    @Override
    public Integer call() throws Exception {
        checkArguments();
        TextTable table =
                new TextTable(
                        "target",
                        ">inputs",
                        ">accepted",
                        ">rejected",
                        "exception",
                        ">defects",
                        ">max allocated",
                        ">peak memory",
                        ">seconds");
        List<String> defects = new ArrayList<>();
        for (String name : targets.isEmpty() ? FuzzTargets.names() : targets) {
            FuzzReport report = feed(name);
            table.row(
                    name,
                    "%,d".formatted(report.inputs()),
                    "%,d".formatted(report.accepted()),
                    "%,d".formatted(report.rejected()),
                    FuzzTargets.rejections(name),
                    report.defects().size(),
                    "%,d KiB".formatted(report.maxAllocated() >> 10),
                    "%,d MiB".formatted(report.peakMemory() >> 20),
                    "%.1f".formatted(report.time().toMillis() / 1e3));
            report.defects().stream()
                    .limit(SHOWN_DEFECTS)
                    .forEach(
                            defect ->
                                    defects.add(
                                            "%s, input %d: %s"
                                                    .formatted(
                                                            name, defect.input(), defect.what())));
        }
        PrintWriter out = spec.commandLine().getOut();
        out.print(table);
        defects.forEach(out::println);
        if (!defects.isEmpty()) {
            out.printf("The inputs that show defects are in %s (seed %d).%n", keep, seed);
        }
        out.flush();
        return defects.isEmpty() ? 0 : ExitCode.SOFTWARE;
    }

    private void checkArguments() {
        for (String name : targets) {
            if (FuzzTargets.of(name) == null) {
                throw invalidUsage(
                        "--target is '%s'; allowed: %s"
                                .formatted(name, String.join(", ", FuzzTargets.names())));
            }
        }
        if (inputs < 1) {
            throw invalidUsage("--inputs is %d; allowed: 1 or more".formatted(inputs));
        }
        if (first < 0) {
            throw invalidUsage("--first is %d; allowed: 0 or more".formatted(first));
        }
    }

    private ParameterException invalidUsage(String message) {
        return new ParameterException(spec.commandLine(), message);
    }

    private FuzzReport feed(String name) throws IOException, InterruptedException {
        Progress progress = new Progress(spec.commandLine().getErr(), System.console() != null);
        Path dir = Files.createTempDirectory("flink-moe-fuzz-");
        try {
            FuzzReport report =
                    FuzzProcess.run(
                            new FuzzInputs(FuzzTargets.of(name), seed, first, inputs),
                            dir,
                            read -> progress.show(line(name, read)));
            progress.done(line(name, report.inputs()));
            for (Defect defect : report.defects()) {
                Path target = Files.createDirectories(keep.resolve(name));
                String file = FuzzFiles.inputFile(defect.input());
                Files.copy(
                        dir.resolve(file),
                        target.resolve(file),
                        StandardCopyOption.REPLACE_EXISTING);
            }
            return report;
        } finally {
            FileUtils.deleteDirectoryQuietly(dir.toFile());
        }
    }

    private String line(String name, long read) {
        return "%s: %,d of %,d inputs".formatted(name, read, inputs);
    }
}
