// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** What a command prints, and its exit code, when it fails. */
class ErrorReportTest {

    @Command(name = "tool")
    private record Failing(Supplier<Throwable> failure) implements Callable<Integer> {
        @Override
        public Integer call() throws Exception {
            Throwable thrown = failure.get();
            if (thrown instanceof Error error) {
                throw error;
            }
            throw (Exception) thrown;
        }
    }

    /** The same as a subcommand, as most commands are. */
    @Command(name = "tool")
    private static final class Parent {}

    private final StringWriter err = new StringWriter();

    @Test
    void anExceptionIsOneLine() {
        assertThat(run(() -> new IOException("the disk is full"), false)).isEqualTo(1);
        assertThat(err.toString()).startsWith("tool: the disk is full" + System.lineSeparator());
    }

    static List<Arguments> fileErrors() {
        return List.of(
                arguments(new NoSuchFileException("a"), "a: there is no such file or folder"),
                arguments(new AccessDeniedException("a"), "a: permission denied"),
                arguments(new AccessDeniedException("a", "b", null), "a -> b: permission denied"),
                arguments(new NotDirectoryException("a"), "a: it is not a folder"),
                arguments(new FileAlreadyExistsException("a"), "a: it exists already"),
                arguments(new DirectoryNotEmptyException("a"), "a: the folder is not empty"),
                arguments(
                        new FileSystemException("a"),
                        "a: it cannot be accessed (FileSystemException)"),
                arguments(
                        new FileSystemException("a", null, "No space left on device"),
                        "a: No space left on device"),
                arguments(
                        new UncheckedIOException(new NoSuchFileException("a")),
                        "a: there is no such file or folder"));
    }

    /** Java's own message is only the path. */
    @ParameterizedTest
    @MethodSource("fileErrors")
    void anErrorOfAFileSaysWhatFailed(Exception failure, String line) {
        assertThat(run(() -> failure, false)).isEqualTo(1);
        assertThat(err.toString()).startsWith("tool: " + line + System.lineSeparator());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void tooLittleMemoryIsReportedLikeAnyFailure(boolean subcommand) {
        int exitCode = run(() -> new OutOfMemoryError("Java heap space"), subcommand);

        assertThat(exitCode).isEqualTo(1);
        assertThat(err.toString())
                .startsWith("tool: out of memory: Java heap space; the heap has at most ")
                .contains(" MiB: set JVM_ARGS=-Xmx")
                .contains("Run with --verbose for details")
                .doesNotContain("\tat ");
    }

    @Test
    void soAreOtherErrorsOfTheJvm() {
        assertThat(run(() -> new NoClassDefFoundError("a/B"), true)).isEqualTo(1);
        assertThat(err.toString())
                .startsWith("tool: java.lang.NoClassDefFoundError: a/B" + System.lineSeparator());
    }

    private int run(Supplier<Throwable> failure, boolean subcommand) {
        CommandLine program =
                subcommand
                        ? new CommandLine(new Parent()).addSubcommand("sub", new Failing(failure))
                        : new CommandLine(new Failing(failure));
        ErrorReport.addTo(program, () -> false);
        program.setErr(new PrintWriter(err, true));
        return subcommand ? program.execute("sub") : program.execute();
    }
}
