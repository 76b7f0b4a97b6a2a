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
import io.flinkmoe.tools.fuzz.FuzzCommand;
import io.flinkmoe.tools.gpu.GpuCheckCommand;
import io.flinkmoe.tools.machine.TempFolder;
import io.flinkmoe.tools.model.ForwardCommand;
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

/** The command-line program. */
@Command(
        name = "moe",
        description = "Mixture-of-Experts inference on streams, with Apache Flink.",
        scope = ScopeType.INHERIT,
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        usageHelpAutoWidth = true,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:done", "1:failed", "2:wrong use"},
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
            "  moe inspect BUNDLE                  show what a model bundle holds",
            "  moe score --help                    every option of the scoring job"
        })
@Internal
public final class Moe implements Callable<Integer> {

    private static final String VERBOSE = "--verbose";

    @Spec private CommandSpec spec;

    @Option(
            names = VERBOSE,
            scope = ScopeType.INHERIT,
            description = "Show the log and, where something fails, the stack trace.")
    private boolean verbose;

    private Moe() {}

    public static void main(String[] args) {
        Locale.setDefault(Locale.ROOT); // Its texts are English, and so are its numbers.
        TempFolder.removeAtEnd();
        if (Arrays.asList(args).contains(VERBOSE)) {
            // Read by log4j2.properties, thus before the first logger exists.
            System.setProperty("moe.log.console", "info");
        }
        System.exit(commandLine().execute(args));
    }

    /** The program, ready to execute; what it prints can be redirected. */
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

    /** Without a subcommand: says which there are. */
    @Override
    public Integer call() {
        PrintWriter err = spec.commandLine().getErr();
        err.println("moe: say which command to run");
        spec.commandLine().usage(err);
        return ExitCode.USAGE;
    }
}
