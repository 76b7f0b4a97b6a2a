// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.forward;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.column.InputRows;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Runs checkpoints that published code saved through the stream operators at parallelism 2: the
 * answers are those of that code, and bit for bit those of the reference. {@code
 * -Dcheckpoints.dir=DIR} runs all folders of a directory.
 */
class PublishedStreamIT {
    private static final Path OWN =
            Path.of("..", "..", "operators", "core", "src", "test", "resources", "checkpoints");

    /** One of each option that the operators, not the graphs, compute. */
    private static final List<String> NAMES =
            List.of(
                    "axk1",
                    "gemma4_text",
                    "granitemoeshared",
                    "llama4_text",
                    "longcat_flash",
                    "nemotron_h.latent",
                    "phimoe");

    private static int folders;
    private static int passed;

    @TempDir Path dir;

    static List<Path> checkpoints() throws IOException {
        String other = System.getProperty("checkpoints.dir");
        if (other == null) {
            return NAMES.stream().map(OWN::resolve).toList();
        }
        try (Stream<Path> all = Files.list(Path.of(other))) {
            return all.filter(Files::isDirectory).sorted().toList();
        }
    }

    @AfterAll
    static void report() {
        System.out.printf("checkpoints on Flink: %d folders, %d passed%n", folders, passed);
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void theStreamAnswersAsThePublishedCodeAndTheReference(Path checkpoint) throws Exception {
        folders++;
        JsonNode runs =
                new ObjectMapper().readTree(checkpoint.resolve("case.json").toFile()).get("runs");
        try (SafetensorsFile expected =
                SafetensorsFile.open(checkpoint.resolve("expected.safetensors"))) {
            for (int run = 0; run < runs.size(); run++) {
                List<Integer> layers = new ArrayList<>();
                runs.get(run).forEach(layer -> layers.add(layer.intValue()));
                float[] x = expected.floats("runs.%d.x".formatted(run));
                int tokens = (int) expected.shape("runs.%d.x".formatted(run))[0];
                Bundle bundle =
                        CheckpointImporter.importBundle(
                                checkpoint, layers, null, null, dir.resolve("run" + run));

                InputRows rows = new InputRows(Floats.toBytes(x), new String[0]);
                float[] out = new FlinkForward(bundle).run(rows, tokens, 2).out();

                try (ReferenceModel reference = ReferenceModel.open(bundle)) {
                    assertThat(out).isEqualTo(reference.forward(x, tokens).out());
                }
                assertClose(out, expected.floats("runs.%d.out".formatted(run)));
            }
        }
        passed++;
    }

    private static void assertClose(float[] found, float[] expected) {
        float largest = 1;
        for (float value : expected) {
            largest = Math.max(largest, Math.abs(value));
        }
        for (int i = 0; i < found.length; i++) {
            assertThat(Math.abs(found[i] - expected[i]))
                    .as("value %d", i)
                    .isLessThanOrEqualTo(2e-5f * largest);
        }
    }
}
