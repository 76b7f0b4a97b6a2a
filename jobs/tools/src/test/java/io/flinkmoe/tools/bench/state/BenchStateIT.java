// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.tools.Program;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine.ExitCode;

class BenchStateIT {

    @TempDir private Path folder;

    @Test
    @Tag("slow")
    void measuresAnOpenWindowOnAllBackends() throws Exception {
        Path output = folder.resolve("figures.json");
        Program program =
                Program.run(
                        "bench",
                        "state",
                        "--quick",
                        "--tokens",
                        4000,
                        "--backends",
                        "heap,unlogged,rocksdb",
                        "--output",
                        output);

        assertThat(program.exitCode()).as(program.out() + program.err()).isZero();
        JsonNode flights = new ObjectMapper().readTree(output.toFile()).at("/state/flights");
        assertThat(flights.size()).isEqualTo(3);
        for (JsonNode backend : flights) {
            JsonNode figures = backend.get("4000");
            // At least the vectors of 64 floats.
            assertThat(figures.get("bytes_per_token").asDouble()).isGreaterThan(256);
            for (String figure :
                    new String[] {
                        "checkpoint_bytes",
                        "close_ms",
                        "compute_ms",
                        "restore_ms",
                        "longest_aligned_ms",
                        "longest_unaligned_ms"
                    }) {
                assertThat(figures.get(figure).asDouble()).as(figure).isPositive();
            }
            assertThat(figures.at("/bytes_per_token_by_task/dispatch-0").asDouble())
                    .isGreaterThan(256);
        }
        assertThat(flights.at("/heap/4000").has("max_increment")).isFalse();
        assertThat(flights.at("/rocksdb/4000/max_increment").asDouble()).isPositive();
    }

    @Test
    void namesWhatIsAllowed() {
        Program backend = Program.run("bench", "state", "--backends", "disk");
        Program shape = Program.run("bench", "state", "--shapes", "huge");
        Program tokens = Program.run("bench", "state", "--tokens", 10);

        assertThat(backend.exitCode()).isEqualTo(ExitCode.USAGE);
        assertThat(backend.err()).contains("disk", "HEAP, UNLOGGED, ROCKSDB");
        assertThat(shape.exitCode()).isEqualTo(ExitCode.USAGE);
        assertThat(shape.err()).contains("--shapes has 'huge'; allowed: flights, medium");
        assertThat(tokens.exitCode()).isEqualTo(ExitCode.USAGE);
        assertThat(tokens.err()).contains("--tokens has 10; allowed: 1000 to");
    }

    @Test
    void skipsAWindowThatDoesNotFitTheHeap() {
        Program program =
                Program.run(
                        "bench",
                        "state",
                        "--shapes",
                        "large",
                        "--backends",
                        "heap",
                        "--tokens",
                        100_000_000,
                        "--output",
                        folder.resolve("figures.json"));

        assertThat(program.exitCode()).as(program.err()).isZero();
        assertThat(program.out())
                .contains("large, heap, 100,000,000 tokens: skipped", "JVM_ARGS=-Xmx");
    }
}
