// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.tensor.SafetensorsFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FlightsImportTest {
    private static final Path FLIGHTS = Path.of("..", "..", "deploy", "demo", "flights");

    @TempDir Path dir;

    @Test
    void importsTheFlights() throws Exception {
        Bundle bundle = importFlights("flights");

        BundleSpec spec = bundle.spec();
        assertThat(spec.name()).isEqualTo("flights");
        assertThat(spec.inputSize()).isEqualTo(10);
        assertThat(spec.outputSize()).isEqualTo(1);
        assertThat(spec.layers()).hasSize(1);
        LayerSpec layer = spec.layers().get(0);
        assertThat(layer.inputSize()).isEqualTo(64);
        assertThat(layer.outputSize()).isEqualTo(64);
        assertThat(layer.gates())
                .containsExactly(GateSpec.of("layers/0/router.onnx", RoutingConfig.mixtral(8, 2)));
        assertThat(layer.norm()).isNull();
        assertThat(layer.residual()).isEqualTo(ResidualKind.INPUT);
        assertThat(layer.experts()).hasSize(8);
        assertThat(spec.files()).hasSize(11);
        assertThat(Bundle.read(dir.resolve("flights")).spec()).isEqualTo(spec);
    }

    @Test
    void theImportedRouterGivesTheExpectedLogits() throws Exception {
        int rows = 256;
        Bundle bundle = importFlights("flights");
        float[] features;
        float[] expected;
        try (SafetensorsFile file =
                SafetensorsFile.open(FLIGHTS.resolve("flights.expected.safetensors"))) {
            features = Arrays.copyOf(file.floats("features"), 10 * rows);
            expected = Arrays.copyOf(file.floats("logits"), 8 * rows);
        }

        BundleSpec spec = bundle.spec();
        float[] hidden = run(bundle, spec.encoder().file(), features, 10);
        float[] logits =
                run(bundle, spec.layers().get(0).gates().get(0).router().file(), hidden, 64);

        assertThat(logits).hasSameSizeAs(expected);
        for (int i = 0; i < logits.length; i++) {
            assertThat(Math.abs(logits[i] - expected[i])).as("logit %d", i).isLessThan(1e-5f);
        }
    }

    @Test
    void theSameCheckpointGivesTheSameVersion() throws Exception {
        assertThat(importFlights("a").spec().version())
                .isEqualTo(importFlights("b").spec().version())
                .matches("[0-9a-f]{12}");
    }

    private Bundle importFlights(String name) throws Exception {
        return CheckpointImporter.importBundle(
                FLIGHTS.resolve("checkpoint"),
                FLIGHTS.resolve("encoder.onnx"),
                FLIGHTS.resolve("head.onnx"),
                dir.resolve(name));
    }

    private static float[] run(Bundle bundle, String file, float[] rows, int width)
            throws Exception {
        return OnnxRunner.run(Files.readAllBytes(bundle.file(file)), rows, width);
    }
}
