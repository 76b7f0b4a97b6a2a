// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import static io.flinkmoe.model.Loops.assertClose;
import static io.flinkmoe.model.Loops.linear;
import static io.flinkmoe.model.Loops.map;
import static io.flinkmoe.model.Loops.widen;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnxruntime.OrtException;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.RouterGraphs;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RouterGraphsTest {
    private static final int D = 23;
    private static final int H = 19;
    private static final int N = 7;
    private static final int T = 300;

    private final Random random = new Random(2);
    private final float[] x = gaussian(T * D);
    private final double[] xWide = widen(x);

    @Test
    void linearAgreesWithADoubleLoop() throws Exception {
        float[] weight = gaussian(N * D);

        assertAgrees(RouterGraphs.linear(weight, N, D), linear(xWide, weight, null, D, N));
    }

    @Test
    void mlpAgreesWithADoubleLoop() throws Exception {
        float[] w1 = gaussian(H * D);
        float[] b1 = gaussian(H);
        float[] w2 = gaussian(N * H);
        double[] inner =
                map(linear(xWide, w1, b1, D, H), z -> Loops.activation(Activation.GELU_ERF, z));

        assertAgrees(RouterGraphs.mlp(w1, b1, w2, N, D, H), linear(inner, w2, null, H, N));
    }

    @Test
    void cosineAgreesWithADoubleLoop() throws Exception {
        float[] proj = gaussian(H * D);
        float[] centroids = gaussian(N * H);
        Arrays.fill(x, 0, D, 0);
        double[] z = linear(widen(x), proj, null, D, H);
        double[] expected = linear(z, centroids, null, H, N);
        for (int t = 0; t < T; t++) {
            for (int e = 0; e < N; e++) {
                expected[t * N + e] *= Math.exp(1.5) / length(widen(centroids), e);
                expected[t * N + e] /= Math.max(length(z, t), 1e-12);
            }
        }

        assertAgrees(RouterGraphs.cosine(proj, centroids, 1.5f, N, D, H), expected);
    }

    @ParameterizedTest
    @ValueSource(floats = {1, 30})
    void noiseStddevAgreesWithADoubleLoop(float magnitude) throws Exception {
        float[] weight = gaussian(N * D);
        for (int i = 0; i < weight.length; i++) {
            weight[i] *= magnitude;
        }
        double[] expected =
                map(
                        linear(xWide, weight, null, D, N),
                        z -> Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) + 0.01);

        assertAgrees(RouterGraphs.noiseStddev(weight, N, D), expected);
    }

    @Test
    void hashChoosesTheExpertOfTheTokensId() throws Exception {
        int column = 2;
        int[] table = random.ints(1000, 0, N).toArray();
        int[] ids = random.ints(T, 0, table.length).toArray();
        for (int t = 0; t < T; t++) {
            x[t * D + column] = ids[t];
        }
        try (OpenGraph graph = new OpenGraph(RouterGraphs.hash(table, column, D, N))) {
            float[] logits = graph.runInAnyBatch(x);
            for (int t = 0; t < T; t++) {
                for (int e = 0; e < N; e++) {
                    assertThat(logits[t * N + e]).isEqualTo(e == table[ids[t]] ? 1 : 0);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {-1, 3, 1e30f})
    void hashRefusesAnIdThatTheTableDoesNotHave(float id) throws Exception {
        try (OpenGraph graph = new OpenGraph(RouterGraphs.hash(new int[] {0, 1, 0}, 0, 1, 2))) {
            assertThatThrownBy(() -> graph.run(new float[] {1, id}))
                    .isInstanceOf(OrtException.class);
        }
    }

    @Test
    void refusesATableOrAColumnThatCannotBe() {
        assertThatThrownBy(() -> RouterGraphs.hash(new int[] {0, 2}, 0, 1, 2))
                .hasMessage("table assigns expert 2 to id 1; allowed: experts 0 to 1");
        assertThatThrownBy(() -> RouterGraphs.dropColumn(5, 5))
                .hasMessage("column is 5; allowed: 0 to 4, since tokens have 5 values");
    }

    @Test
    void dropColumnLeavesTheOthersAsTheyAre() throws Exception {
        int column = 4;
        try (OpenGraph graph = new OpenGraph(RouterGraphs.dropColumn(column, D))) {
            float[] y = graph.runInAnyBatch(x);
            for (int t = 0; t < T; t++) {
                for (int i = 0; i < D - 1; i++) {
                    int from = i < column ? i : i + 1;
                    assertThat(y[t * (D - 1) + i]).isEqualTo(x[t * D + from]);
                }
            }
        }
    }

    @Test
    void declaresItsShapes(@TempDir Path dir) throws Exception {
        Path file = dir.resolve("router.onnx");
        Files.write(file, RouterGraphs.linear(gaussian(N * D), N, D));

        assertThat(OnnxShapes.read(file)).isEqualTo(new OnnxShapes("hidden", D, "logits", N));
    }

    private void assertAgrees(byte[] model, double[] expected) throws Exception {
        try (OpenGraph graph = new OpenGraph(model)) {
            assertClose(graph.runInAnyBatch(x), expected);
        }
    }

    private static double length(double[] rows, int row) {
        double squares = 0;
        for (int i = row * H; i < (row + 1) * H; i++) {
            squares += rows[i] * rows[i];
        }
        return Math.sqrt(squares);
    }

    private float[] gaussian(int n) {
        return Loops.gaussian(random, n);
    }
}
