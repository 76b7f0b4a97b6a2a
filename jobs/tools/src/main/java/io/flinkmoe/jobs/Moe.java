package io.flinkmoe.jobs;

import io.flinkmoe.jobs.gpu.GpuCheckCommand;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.ExceptionUtils;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command-line program, and the main class of the job jar under {@code flink run}. */
@Command(
        name = "moe",
        description = "Mixture-of-Experts inference on streams, with Apache Flink.",
        scope = ScopeType.INHERIT,
        mixinStandardHelpOptions = true,
        versionProvider = Moe.Version.class,
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
public final class Moe implements Callable<Integer> {

    static final int FAILED = 1;
    static final int WRONG_USE = 2;

    private static final String VERBOSE = "--verbose";

    /** How Flink begins to say that the value of an option, which it names, is of no use. */
    private static final String UNREADABLE_VALUE = "Could not parse value";

    @Spec private CommandSpec spec;

    @Option(
            names = VERBOSE,
            scope = ScopeType.INHERIT,
            description = "Show the log and, where something fails, the stack trace.")
    private boolean verbose;

    private Exception failure;

    private Moe() {}

    public static void main(String[] args) throws Exception {
        // Under `flink run` the JVM belongs to Flink.
        boolean ownsProcess = StreamExecutionEnvironment.areExplicitEnvironmentsAllowed();
        if (ownsProcess) {
            Locale.setDefault(Locale.ROOT); // Its texts are English, and so are its numbers.
            TempFolder.removeAtEnd();
        }
        if (Arrays.asList(args).contains(VERBOSE)) {
            // Read by log4j2.properties, thus before the first logger exists.
            System.setProperty("moe.log.console", "info");
        }
        Moe moe = new Moe();
        int exitCode = commandLine(moe).execute(args);
        if (ownsProcess) {
            System.exit(exitCode);
        }
        // Flink learns of a failure by exception.
        if (exitCode != 0) {
            throw new IllegalStateException("moe ended with exit code " + exitCode, moe.failure);
        }
    }

    /** The program, ready to execute; what it prints can be redirected. */
    static CommandLine commandLine() {
        return commandLine(new Moe());
    }

    private static CommandLine commandLine(Moe moe) {
        CommandLine program = new CommandLine(moe);
        program.setCaseInsensitiveEnumValuesAllowed(true);
        program.registerConverter(MemorySize.class, Moe::size);
        JobOptions.addTo(program.getSubcommands().get("score").getCommandSpec());
        JobOptions.addTo(
                program.getSubcommands().get("explain").getCommandSpec(), ExplainCommand.SHARED);
        program.setParameterExceptionHandler((exception, arguments) -> wrongUse(exception));
        program.setExecutionExceptionHandler(
                (exception, command, arguments) -> moe.report(exception, command));
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
        return WRONG_USE;
    }

    private static int wrongUse(ParameterException exception) {
        CommandLine command = exception.getCommandLine();
        PrintWriter err = command.getErr();
        err.println("moe: " + message(exception));
        UnmatchedArgumentException.printSuggestions(exception, err);
        return pointToHelp(command);
    }

    /** What is wrong; of unknown options only the names: a value may be a password. */
    private static String message(ParameterException exception) {
        if (exception instanceof UnmatchedArgumentException unmatched) {
            List<String> options =
                    unmatched.getUnmatched().stream()
                            .filter(argument -> argument.startsWith("--"))
                            .map(argument -> "'" + argument.split("=", 2)[0] + "'")
                            .toList();
            if (!options.isEmpty()) {
                return "Unknown option: " + String.join(", ", options);
            }
        }
        return exception.getMessage();
    }

    private static int pointToHelp(CommandLine command) {
        command.getErr().printf("See %s --help.%n", command.getCommandSpec().qualifiedName());
        command.getErr().flush();
        return WRONG_USE;
    }

    private int report(Exception exception, CommandLine command) {
        failure = exception;
        PrintWriter err = command.getErr();
        Optional<String> badOption = badOption(exception);
        if (badOption.isPresent()) {
            err.println("moe: " + badOption.get());
            return pointToHelp(command);
        }
        err.println("moe: " + reason(exception));
        if (verbose) {
            exception.printStackTrace(err);
        } else {
            String log = System.getProperty("moe.log.file");
            err.printf(
                    "With %s you see more%s.%n", VERBOSE, log == null ? "" : "; the log is " + log);
        }
        err.flush();
        return FAILED;
    }

    /** What is wrong with an option: one of ours, or one whose value Flink could not read. */
    private static Optional<String> badOption(Exception exception) {
        if (exception instanceof IllegalConfigurationException) {
            return Optional.of(exception.getMessage());
        }
        return ExceptionUtils.findThrowableWithMessage(exception, UNREADABLE_VALUE)
                .filter(IllegalArgumentException.class::isInstance)
                .map(
                        unreadable ->
                                unreadable.getCause() == null
                                        ? unreadable.getMessage()
                                        : "%s %s"
                                                .formatted(
                                                        unreadable.getMessage(),
                                                        rootReason(unreadable.getCause())));
    }

    /** What is wrong, in a line: Flink wraps the cause of a job's failure several times. */
    private static String reason(Throwable exception) {
        boolean wrapped =
                exception instanceof org.apache.flink.util.FlinkException
                        || exception instanceof java.util.concurrent.ExecutionException;
        return wrapped ? rootReason(exception) : message(exception);
    }

    /** What an exception was caused by in the first place. */
    static String rootReason(Throwable exception) {
        return message(root(exception));
    }

    private static String message(Throwable exception) {
        String message = exception.getMessage();
        return message == null || message.isBlank() ? exception.toString() : message;
    }

    private static Throwable root(Throwable exception) {
        Throwable cause = ExceptionUtils.stripExecutionException(exception);
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }

    /** The versions that matter when something goes wrong. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String own = Moe.class.getPackage().getImplementationVersion();
            return new String[] {
                "flink-moe " + (own == null ? "(not packaged)" : own),
                "Apache Flink " + EnvironmentInformation.getVersion(),
                "Java " + System.getProperty("java.version")
            };
        }
    }
}
