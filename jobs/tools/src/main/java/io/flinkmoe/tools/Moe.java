// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools;

import io.flinkmoe.scoring.cli.ErrorReport;
import io.flinkmoe.scoring.cli.JobOptions;
import io.flinkmoe.scoring.cli.Version;
import io.flinkmoe.tools.bench.BenchCommand;
import io.flinkmoe.tools.cluster.ClusterCommand;
import io.flinkmoe.tools.demo.DemoCommand;
import io.flinkmoe.tools.drill.DrillCommand;
import io.flinkmoe.tools.drill.SoakCommand;
import io.flinkmoe.tools.explain.ExplainCommand;
import io.flinkmoe.tools.forward.ForwardCommand;
import io.flinkmoe.tools.fuzz.FuzzCommand;
import io.flinkmoe.tools.gpu.GpuCheckCommand;
import io.flinkmoe.tools.machine.TempFolder;
import io.flinkmoe.tools.model.ImportCommand;
import io.flinkmoe.tools.model.InspectCommand;
import io.flinkmoe.tools.options.OptionsCommand;
import io.flinkmoe.tools.score.ScoreCommand;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.MemorySize;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** The command-line program {@code moe}. */
@Command(
        name = "moe",
        description = "Mixture-of-experts inference on Apache Flink streams.",
        scope = ScopeType.INHERIT,
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        usageHelpAutoWidth = true,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:success", "1:failure", "2:invalid usage"},
        commandListHeading = "%nCommands:%n",
        descriptionHeading = "%n",
        optionListHeading = "%nOptions:%n",
        parameterListHeading = "%n",
        synopsisHeading = "Usage: ",
        footerHeading = "%nExamples:%n",
        subcommands = {
            DemoCommand.class,
            ScoreCommand.class,
            ClusterCommand.class,
            DrillCommand.class,
            SoakCommand.class,
            ImportCommand.class,
            InspectCommand.class,
            ExplainCommand.class,
            ForwardCommand.class,
            BenchCommand.class,
            GpuCheckCommand.class,
            FuzzCommand.class,
            OptionsCommand.class
        },
        footer = {
            "  moe demo                            score 48,836 real flights, end to end",
            "  moe score --config job.yaml         run the scoring job",
            "  moe cluster start                   start a Flink cluster on this machine",
            "  moe inspect BUNDLE                  check a model bundle and show its contents",
            "  moe score --help                    show every option of the scoring job"
        })
@Internal
public final class Moe implements Callable<Integer> {

    private static final String VERBOSE = "--verbose";

    @Spec private CommandSpec spec;

    @Option(
            names = VERBOSE,
            scope = ScopeType.INHERIT,
            description = "Print the log, and the stack trace of a failure.")
    private boolean verbose;

    private Moe() {}

    public static void main(String[] args) {
        Locale.setDefault(Locale.ROOT); // All texts are English, so numbers have English format.
        if (Arrays.asList(args).contains(VERBOSE)) {
            // log4j2.properties reads this, so it is set before the first logger exists.
            System.setProperty("moe.log.console", "info");
        }
        TempFolder.use();
        System.exit(commandLine().execute(args));
    }

    /** Creates the program. Callers can redirect its output. */
    public static CommandLine commandLine() {
        Moe moe = new Moe();
        CommandLine program = new CommandLine(moe);
        program.setCaseInsensitiveEnumValuesAllowed(true);
        program.registerConverter(MemorySize.class, Moe::size);
        JobOptions.addTo(program.getSubcommands().get("score").getCommandSpec());
        JobOptions.addTo(
                program.getSubcommands().get("explain").getCommandSpec(), ExplainCommand.SHARED);
        ErrorReport.addTo(program, () -> moe.verbose);
        return program;
    }

    private static MemorySize size(String text) {
        try {
            return MemorySize.parse(text);
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException(
                    "'%s'; allowed: a size such as 512m or 1g".formatted(text));
        }
    }

    /** Prints the usage, because no subcommand is given. */
    @Override
    public Integer call() {
        PrintWriter err = spec.commandLine().getErr();
        err.println("moe: a command is missing");
        spec.commandLine().usage(err);
        return ExitCode.USAGE;
    }
}
