// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.tools.bench.contenders.Shape;
import java.util.List;
import org.junit.jupiter.api.Test;

class StateSettingTest {

    private static final int D = 10;

    @Test
    void aLayerWithItsInputAsResidualMayKeepOneVectorPerToken() {
        LayerSpec layer = layer(null, ResidualKind.INPUT, List.of());

        assertThat(StateSetting.maxBytesPerToken(layer, D)).isCloseTo(252, within(1e-9));
    }

    @Test
    void aNormOrSharedExpertsOrAnotherResidualAllowTwoVectorsPerToken() {
        List<LayerSpec> layers =
                List.of(
                        layer("norm.onnx", ResidualKind.INPUT, List.of()),
                        layer(null, ResidualKind.INPUT, List.of("shared.onnx")),
                        layer(null, ResidualKind.NONE, List.of()));

        for (LayerSpec layer : layers) {
            assertThat(StateSetting.maxBytesPerToken(layer, D)).isCloseTo(304, within(1e-9));
        }
    }

    @Test
    void theHeapMustHoldTheWindowOnlyIfTheStateIsInTheHeap() {
        Shape shape = new Shape("wide", 1000, 10, 8, 2);

        assertThat(new StateSetting(shape, Backend.HEAP, 1_000_000).neededHeap())
                .isBetween(10_000_000_000L, 12_000_000_000L);
        assertThat(new StateSetting(shape, Backend.ROCKSDB, 1_000_000).neededHeap())
                .isLessThan(1_000_000_000L);
    }

    private static LayerSpec layer(String norm, ResidualKind residual, List<String> shared) {
        return LayerSpec.oneGate(
                        D,
                        "router.onnx",
                        RoutingConfig.mixtral(2, 2),
                        List.of("e0.onnx", "e1.onnx"))
                .withNorm(norm)
                .withResidual(residual)
                .withSharedExperts(shared);
    }
}
