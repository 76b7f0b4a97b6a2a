// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
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
