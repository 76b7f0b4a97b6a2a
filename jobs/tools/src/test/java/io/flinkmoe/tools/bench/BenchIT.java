// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.tools.Program;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine.ExitCode;

class BenchIT {

    @TempDir private Path folder;

    @Test
    @Tag("slow")
    void comparesContendersAndWritesWhatItFound() throws Exception {
        Path output = folder.resolve("figures.json");
        Program program =
                Program.run(
                        "bench",
                        "--quick",
                        "--rounds",
                        1,
                        "--parts",
                        "compare,latency",
                        "--shapes",
                        "flights",
                        "--contenders",
                        "limit,per-record,fused,flink-moe",
                        "--output",
                        output);

        assertThat(program.exitCode()).as(program.err()).isZero();
        assertThat(program.out()).contains("flights", "per-record", "p99.9 ms");
        JsonNode json = new ObjectMapper().readTree(output.toFile());
        JsonNode flights = json.at("/shapes/flights");
        assertThat(flights.fieldNames())
                .toIterable()
                .containsExactly("limit", "per-record", "fused", "flink-moe");
        for (JsonNode contender : flights) {
            assertThat(contender.get("min").asDouble()).isPositive();
            assertThat(contender.get("median").asDouble())
                    .isBetween(contender.get("min").asDouble(), contender.get("max").asDouble());
        }
        assertThat(json.at("/ratios/flights").size()).isEqualTo(3);
        assertThat(json.at("/latency/flights/50%/p50_ms").asDouble()).isPositive();
        assertThat(folder.resolve("figures-flights.svg")).content().startsWith("<svg");
    }

    @Test
    @Tag("slow")
    void comparesSeveralGatesWithOne() throws Exception {
        Path output = folder.resolve("gates.json");
        Program program =
                Program.run(
                        "bench",
                        "--quick",
                        "--rounds",
                        1,
                        "--parts",
                        "gates",
                        "--shapes",
                        "flights,fine-grained",
                        "--contenders",
                        "flink-moe",
                        "--output",
                        output);

        assertThat(program.exitCode()).as(program.err()).isZero();
        assertThat(program.out()).contains("one gate, k = 6", "3 dense gates", "mark");
        JsonNode gates = new ObjectMapper().readTree(output.toFile()).get("gates");
        assertThat(gates.fieldNames()).toIterable().containsExactly("flights");
        assertThat(gates.at("/flights/by_clock/time_ratio/median").asDouble()).isPositive();
        assertThat(gates.at("/flights/by_cpu_time/time_ratio/median").asDouble()).isPositive();
        assertThat(gates.at("/flights/mark").asDouble()).isEqualTo(1.2);
    }

    @Test
    void namesTheShapesThatThereAre() {
        Program program = Program.run("bench", "--shapes", "huge");

        assertThat(program.exitCode()).isEqualTo(ExitCode.USAGE);
        assertThat(program.err())
                .contains("--shapes has 'huge'; allowed: flights, medium, fine-grained, large");
    }
}
