// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import io.flinkmoe.model.FileErrors;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.util.ExceptionUtils;
import picocli.CommandLine;
import picocli.CommandLine.ExecutionException;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.IExecutionStrategy;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * Prints the errors of a command line: one line with the reason, and one that says where to find
 * more. The exit code distinguishes invalid usage from failure. Values that can be secret are not
 * printed.
 */
@Internal
public final class ErrorReport {

    /** The beginning of Flink's message that the value of an option is invalid. */
    private static final String UNREADABLE_VALUE = "Could not parse value";

    private final BooleanSupplier verbose;
    private Exception failure;

    private ErrorReport(BooleanSupplier verbose) {
        this.verbose = verbose;
    }

    /**
     * Makes a program report its errors with this class.
     *
     * @param verbose whether to print the stack trace of a failure; called after the failure
     */
    public static ErrorReport addTo(CommandLine program, BooleanSupplier verbose) {
        ErrorReport report = new ErrorReport(verbose);
        program.setParameterExceptionHandler((exception, arguments) -> invalidUsage(exception));
        program.setExecutionExceptionHandler(report::report);
        IExecutionStrategy strategy = program.getExecutionStrategy();
        program.setExecutionStrategy(arguments -> execute(strategy, arguments));
        return report;
    }

    /** Runs a command; an error of the JVM, such as too little memory, is reported like others. */
    private static int execute(IExecutionStrategy strategy, ParseResult arguments) {
        try {
            return strategy.execute(arguments);
        } catch (OutOfMemoryError e) {
            throw new ExecutionException(
                    arguments.commandSpec().commandLine(),
                    "out of memory: %s; the heap has at most %,d MiB: set JVM_ARGS=-Xmx... to more"
                            .formatted(
                                    e.getMessage(), Runtime.getRuntime().maxMemory() / (1 << 20)),
                    e);
        } catch (StackOverflowError | LinkageError e) {
            throw new ExecutionException(arguments.commandSpec().commandLine(), e.toString(), e);
        }
    }

    /**
     * The exception that the command failed with; empty if it succeeded or if its usage was
     * invalid.
     */
    Optional<Exception> failure() {
        return Optional.ofNullable(failure);
    }

    private static int invalidUsage(ParameterException exception) {
        CommandLine command = exception.getCommandLine();
        PrintWriter err = command.getErr();
        err.println(name(command) + ": " + message(exception));
        UnmatchedArgumentException.printSuggestions(exception, err);
        return pointToHelp(command);
    }

    /**
     * The error message. For unknown options it contains only their names, because a value can be a
     * password.
     */
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
                    "Run with --verbose for details%s.%n",
                    log == null ? "" : "; the log is " + log);
        }
        err.flush();
        return ExitCode.SOFTWARE;
    }

    /** The error in an option: an invalid configuration, or a value that Flink could not parse. */
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

    /** The reason in one line. Flink wraps the cause of a job's failure several times. */
    private static String reason(Throwable exception) {
        boolean wrapped =
                exception instanceof org.apache.flink.util.FlinkException
                        || exception instanceof java.util.concurrent.ExecutionException;
        return wrapped ? rootReason(exception) : message(exception);
    }

    /** The message of an exception's root cause. */
    public static String rootReason(Throwable exception) {
        return message(root(exception));
    }

    private static String message(Throwable exception) {
        if (exception instanceof UncheckedIOException unchecked) {
            return FileErrors.describe(unchecked.getCause());
        } else if (exception instanceof IOException failure) {
            return FileErrors.describe(failure);
        }
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
