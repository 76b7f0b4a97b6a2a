package io.flinkmoe.scoring.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.util.ExceptionUtils;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * What a command line prints where something fails: one line with the reason, one with where to
 * find more. The exit code tells wrong use from failure. A value that may be secret is not printed.
 */
@Internal
public final class ErrorReport {

    /** How Flink begins to say that the value of an option, which it names, is of no use. */
    private static final String UNREADABLE_VALUE = "Could not parse value";

    private final BooleanSupplier verbose;
    private Exception failure;

    private ErrorReport(BooleanSupplier verbose) {
        this.verbose = verbose;
    }

    /**
     * Has a program report its errors this way.
     *
     * @param verbose whether to print the stack trace of a failure, asked once it has failed
     */
    public static ErrorReport addTo(CommandLine program, BooleanSupplier verbose) {
        ErrorReport report = new ErrorReport(verbose);
        program.setParameterExceptionHandler((exception, arguments) -> wrongUse(exception));
        program.setExecutionExceptionHandler(report::report);
        return report;
    }

    /** What the command failed with; empty if it did not fail, or was used wrongly. */
    Optional<Exception> failure() {
        return Optional.ofNullable(failure);
    }

    private static int wrongUse(ParameterException exception) {
        CommandLine command = exception.getCommandLine();
        PrintWriter err = command.getErr();
        err.println(name(command) + ": " + message(exception));
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
        return ExitCode.USAGE;
    }

    private int report(Exception exception, CommandLine command, ParseResult arguments) {
        failure = exception;
        PrintWriter err = command.getErr();
        Optional<String> badOption = badOption(exception);
        if (badOption.isPresent()) {
            err.println(name(command) + ": " + badOption.get());
            return pointToHelp(command);
        }
        err.println(name(command) + ": " + reason(exception));
        if (verbose.getAsBoolean()) {
            exception.printStackTrace(err);
        } else {
            String log = System.getProperty("moe.log.file");
            err.printf(
                    "With --verbose you see more%s.%n", log == null ? "" : "; the log is " + log);
        }
        err.flush();
        return ExitCode.SOFTWARE;
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
    public static String rootReason(Throwable exception) {
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

    private static String name(CommandLine command) {
        return command.getCommandSpec().root().name();
    }
}
