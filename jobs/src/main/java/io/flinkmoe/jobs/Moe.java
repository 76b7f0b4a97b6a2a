package io.flinkmoe.jobs;

import java.io.PrintWriter;
import java.util.Arrays;
import org.apache.flink.configuration.IllegalConfigurationException;
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
            ImportCommand.class,
            InspectCommand.class,
            ForwardCommand.class,
            BenchCommand.class,
            OptionsCommand.class
        },
        footer = {
            "  moe demo                            score 48,836 real flights, end to end",
            "  moe score --config job.yaml         run the scoring job",
            "  moe inspect BUNDLE                  show what a model bundle holds",
            "  moe score --help                    every option of the scoring job"
        })
public final class Moe implements Runnable {

    static final int FAILED = 1;
    static final int WRONG_USE = 2;

    private static final String VERBOSE = "--verbose";

    @Spec private CommandSpec spec;

    @Option(
            names = VERBOSE,
            scope = ScopeType.INHERIT,
            description = "Show the log and, where something fails, the stack trace.")
    private boolean verbose;

    private Exception failure;

    private Moe() {}

    public static void main(String[] args) throws Exception {
        if (Arrays.asList(args).contains(VERBOSE)) {
            // Read by log4j2.properties, thus before the first logger exists.
            System.setProperty("moe.log.console", "info");
        }
        Moe moe = new Moe();
        int exitCode = commandLine(moe).execute(args);
        if (StreamExecutionEnvironment.areExplicitEnvironmentsAllowed()) {
            System.exit(exitCode);
        }
        // Under `flink run` the JVM belongs to Flink, which learns of a failure by exception.
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
        JobOptions.addTo(program.getSubcommands().get("score").getCommandSpec());
        program.setCaseInsensitiveEnumValuesAllowed(true);
        program.setExecutionExceptionHandler(
                (exception, command, arguments) -> moe.report(exception, command));
        return program;
    }

    /** Without a subcommand: says which there are. */
    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "Say which command to run.");
    }

    private int report(Exception exception, CommandLine command) {
        failure = exception;
        PrintWriter err = command.getErr();
        if (exception instanceof IllegalConfigurationException) {
            err.println("moe: " + exception.getMessage());
            err.printf("See %s --help.%n", command.getCommandSpec().qualifiedName());
            return WRONG_USE;
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

    /** What is wrong, in a line: Flink wraps the cause of a job's failure several times. */
    private static String reason(Throwable exception) {
        boolean wrapped =
                exception instanceof org.apache.flink.util.FlinkException
                        || exception instanceof java.util.concurrent.ExecutionException;
        Throwable cause = wrapped ? root(exception) : exception;
        String message = cause.getMessage();
        return message == null || message.isBlank() ? cause.toString() : message;
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
