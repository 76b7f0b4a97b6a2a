// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.RouterGraphs;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** At widths where kernels work in several blocks, a row still does not depend on its batch. */
class WideGraphsTest {
    private static final int D = 1027;
    private static final int H = 645;
    private static final int N = 65;

    private static final Random RANDOM = new Random(3);

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void rowsDoNotDependOnTheBatch(String name, byte[] model) throws Exception {
        try (OpenGraph graph = new OpenGraph(model)) {
            graph.runInAnyBatch(gaussian(129 * D));
        }
    }

    static Stream<Arguments> rowsDoNotDependOnTheBatch() {
        float[] wi = gaussian(H * D);
        float[] w3 = gaussian(H * D);
        float[] wo = gaussian(D * H);
        float[] bi = gaussian(H);
        float[] b = gaussian(D);
        float[] centroids = gaussian(N * H);
        float[] weight = gaussian(N * D);
        return Map.of(
                        "gelu_tanh",
                        ExpertGraphs.gated(Activation.GELU_TANH, wi, w3, wo, D, H),
                        "gelu_erf",
                        ExpertGraphs.plain(Activation.GELU_ERF, wi, bi, wo, b, D, H),
                        "base_layer",
                        ExpertGraphs.baseLayer(b, b, 1e-5f, wi, bi, wo, b, D, H),
                        "shared_with_gate",
                        ExpertGraphs.sharedWithGate(b, wi, w3, wo, D, H),
                        "rms_norm",
                        ExpertGraphs.rmsNorm(b, D, 1e-5f),
                        "linear",
                        RouterGraphs.linear(weight, N, D),
                        "mlp",
                        RouterGraphs.mlp(wi, bi, centroids, N, D, H),
                        "cosine",
                        RouterGraphs.cosine(wi, centroids, 1, N, D, H),
                        "noise_stddev",
                        RouterGraphs.noiseStddev(weight, N, D),
                        "residual_scale",
                        RouterGraphs.residualScale(gaussian(2 * D), gaussian(2), D))
                .entrySet()
                .stream()
                .map(entry -> Arguments.of(entry.getKey(), entry.getValue()));
    }

    /** Of standard deviation 1/√D, so that sums over a row stay about 1. */
    private static float[] gaussian(int n) {
        float[] values = Loops.gaussian(RANDOM, n);
        for (int i = 0; i < n; i++) {
            values[i] *= (float) (1 / Math.sqrt(D));
        }
        return values;
    }
}
