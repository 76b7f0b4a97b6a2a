// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.graph.WeightType;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Imports checkpoints that published code saved, and compares with what that code answered. {@code
 * -Dcheckpoints.dir=DIR} runs the folders of another directory of the same form.
 */
class PublishedAnswersTest {
    private static final Path CHECKPOINTS =
            Path.of(
                    System.getProperty(
                            "checkpoints.dir",
                            Path.of("src", "test", "resources", "checkpoints").toString()));

    private static int folders;
    private static int passed;

    @TempDir Path dir;

    static List<String> checkpoints() throws IOException {
        try (Stream<Path> folders = Files.list(CHECKPOINTS)) {
            return folders.filter(Files::isDirectory)
                    .map(folder -> folder.getFileName().toString())
                    .sorted()
                    .toList();
        }
    }

    @AfterAll
    static void report() {
        System.out.printf("checkpoints: %d folders, %d passed%n", folders, passed);
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void theBundleAnswersAsThePublishedCode(String name) throws Exception {
        folders++;
        Path checkpoint = CHECKPOINTS.resolve(name);
        JsonNode runs =
                new ObjectMapper().readTree(checkpoint.resolve("case.json").toFile()).get("runs");
        assertThat(runs).isNotEmpty();
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

                try (ReferenceModel model = ReferenceModel.open(bundle)) {
                    assertClose(
                            model.forward(x, tokens).out(),
                            expected.floats("runs.%d.out".formatted(run)));
                }
            }
        }
        passed++;
    }

    @Test
    void weightsOfSixteenBitsGiveTheSameAnswers() throws Exception {
        Path checkpoint = Path.of("src", "test", "resources", "checkpoints", "mixtral");
        Bundle wide = importAs(checkpoint, WeightType.FLOAT32);
        Bundle narrow = importAs(checkpoint, WeightType.BFLOAT16);
        Path expert = Path.of("layers", "0", "experts", "0.onnx");

        assertThat(narrow.file(expert.toString()))
                .satisfies(
                        file ->
                                assertThat(file.toFile().length())
                                        .isLessThan(
                                                wide.file(expert.toString()).toFile().length()
                                                        * 6
                                                        / 10));
        try (SafetensorsFile expected =
                        SafetensorsFile.open(checkpoint.resolve("expected.safetensors"));
                ReferenceModel ofWide = ReferenceModel.open(wide);
                ReferenceModel ofNarrow = ReferenceModel.open(narrow)) {
            float[] x = expected.floats("runs.0.x");
            int tokens = (int) expected.shape("runs.0.x")[0];
            assertThat(ofNarrow.forward(x, tokens).out())
                    .isEqualTo(ofWide.forward(x, tokens).out());
        }
    }

    private Bundle importAs(Path checkpoint, WeightType weights) throws Exception {
        return CheckpointImporter.importBundle(
                checkpoint,
                null,
                weights,
                null,
                null,
                dir.resolve(weights.name()),
                (written, total) -> {},
                ImportCheck.NONE);
    }

    private static void assertClose(float[] found, float[] expected) {
        assertThat(found).hasSameSizeAs(expected);
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
