// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.tools.fuzz.FuzzReport.Defect;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A short run of what {@code moe fuzz} does at length, and of readers that are no good. */
class FuzzProcessTest {

    private static final long SEED = 20_260;
    private static final int INPUTS = 2_000;

    @TempDir private Path dir;

    static Set<String> targets() {
        return FuzzTargets.names();
    }

    @ParameterizedTest
    @MethodSource("targets")
    void everyInputIsAcceptedOrRefusedAsDocumented(String name) throws Exception {
        List<Long> progress = new ArrayList<>();

        FuzzReport report =
                FuzzProcess.run(
                        new FuzzInputs(FuzzTargets.of(name), SEED, 0, INPUTS), dir, progress::add);

        assertThat(report.defects()).isEmpty();
        assertThat(report.inputs()).isEqualTo(INPUTS);
        assertThat(report.accepted()).isPositive();
        assertThat(report.rejected()).isGreaterThan(INPUTS / 4);
        assertThat(report.maxAllocated()).isPositive();
        assertThat(progress).isSorted();
    }

    @Test
    void seesEveryKindOfDefectAndGoesOnBehindIt() throws Exception {
        FuzzReport report =
                FuzzProcess.run(
                        new FuzzInputs(Bad.class, 3, 100, 8),
                        dir,
                        read -> {},
                        Duration.ofSeconds(5));

        assertThat(report.accepted()).isEqualTo(2);
        assertThat(report.rejected()).isEqualTo(1);
        assertThat(report.defects())
                .extracting(Defect::input)
                .containsExactlyInAnyOrder(101L, 102L, 103L, 105L, 106L);
        assertThat(report.defects())
                .extracting(Defect::what)
                .anySatisfy(what -> assertThat(what).isEqualTo("the JVM ended with code 42"))
                .anySatisfy(what -> assertThat(what).startsWith("java.lang.ArithmeticException"))
                .anySatisfy(what -> assertThat(what).startsWith("allocates "))
                .anySatisfy(what -> assertThat(what).isEqualTo("takes more than 5 s"))
                .anySatisfy(what -> assertThat(what).startsWith("java.lang.StackOverflowError"));
        for (Defect defect : report.defects()) {
            assertThat(dir.resolve(FuzzFiles.inputFile(defect.input())))
                    .hasBinaryContent(
                            new Mutator(3, List.of(Bad.SAMPLE), false).input(defect.input()));
        }
    }

    @Test
    void saysThatATargetDoesNotOpen() {
        assertThatThrownBy(
                        () ->
                                FuzzProcess.run(
                                        new FuzzInputs(Closed.class, 1, 0, 10), dir, read -> {}))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("the target Closed cannot be opened")
                .hasMessageContaining("no luck today");
    }

    /** Misbehaves by the number of the input. */
    static final class Bad implements FuzzTarget {

        private static final byte[] SAMPLE = new byte[100];
        private static volatile byte[] sink;

        private Path counter;
        private int reads;

        @Override
        public List<byte[]> open(Path directory) throws IOException {
            // Of the process, which is the second after the crash.
            counter = directory.getParent().resolve("count");
            return List.of(SAMPLE);
        }

        @Override
        public void read(byte[] input) throws Exception {
            if (reads++ < FuzzMain.WARM_UP) {
                return;
            }
            int count = Files.exists(counter) ? Integer.parseInt(Files.readString(counter)) : 0;
            Files.writeString(counter, String.valueOf(count + 1));
            switch (count) {
                case 1 -> Runtime.getRuntime().halt(42);
                case 2 -> throw new ArithmeticException("undocumented");
                case 3 -> sink = new byte[10 << 20];
                case 4 -> throw new IOException("documented");
                case 5 -> overflow(0);
                case 6 -> Thread.sleep(60_000);
                default -> {}
            }
        }

        private static int overflow(int depth) {
            return overflow(depth + 1) + 1;
        }

        @Override
        public Set<Class<? extends Exception>> rejections() {
            return Set.of(IOException.class);
        }
    }

    /** Cannot be prepared. */
    static final class Closed implements FuzzTarget {

        @Override
        public List<byte[]> open(Path directory) {
            throw new IllegalStateException("no luck today");
        }

        @Override
        public void read(byte[] input) {}

        @Override
        public Set<Class<? extends Exception>> rejections() {
            return Set.of();
        }
    }
}
