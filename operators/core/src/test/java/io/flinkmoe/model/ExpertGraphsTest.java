// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import static io.flinkmoe.model.Loops.assertClose;
import static io.flinkmoe.model.Loops.linear;
import static io.flinkmoe.model.Loops.map;
import static io.flinkmoe.model.Loops.times;
import static io.flinkmoe.model.Loops.widen;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.RouterGraphs;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The widths are not multiples of a vector register's size, where the results of rows could differ.
 */
class ExpertGraphsTest {
    private static final int D = 23;
    private static final int H = 37;
    private static final int T = 300;

    private final Random random = new Random(1);
    private final float[] x = gaussian(T * D);
    private final double[] xWide = widen(x);
    private final float[] wi = gaussian(H * D);
    private final float[] bi = gaussian(H);
    private final float[] wo = gaussian(D * H);
    private final float[] bo = gaussian(D);
    private final float[] w3 = gaussian(H * D);

    @ParameterizedTest
    @EnumSource
    void gatedAgreesWithADoubleLoop(Activation act) throws Exception {
        double[] inner = times(activated(act, xWide, wi, null), linear(xWide, w3, null, D, H));

        assertAgrees(ExpertGraphs.gated(act, wi, w3, wo, D, H), linear(inner, wo, null, H, D));
    }

    @ParameterizedTest
    @EnumSource
    void plainAgreesWithADoubleLoop(Activation act) throws Exception {
        double[] expected = linear(activated(act, xWide, wi, bi), wo, bo, H, D);

        assertAgrees(ExpertGraphs.plain(act, wi, bi, wo, bo, D, H), expected);
        assertAgrees(
                ExpertGraphs.plain(act, wi, bi, wo, bo, 0.8f, D, H), map(expected, y -> y * 0.8f));
    }

    @Test
    void plainGoesWithoutBiases() throws Exception {
        double[] inner = activated(Activation.RELU, xWide, wi, null);

        assertAgrees(
                ExpertGraphs.plain(Activation.RELU, wi, null, wo, null, D, H),
                linear(inner, wo, null, H, D));
    }

    @Test
    void tripleProductAgreesWithADoubleLoop() throws Exception {
        float[] wu = gaussian(H * D);
        double[] gate =
                times(linear(xWide, wi, null, D, H), activated(Activation.SILU, xWide, w3, null));
        double[] inner = times(gate, linear(xWide, wu, null, D, H));

        assertAgrees(
                ExpertGraphs.tripleProduct(wi, w3, wu, wo, D, H), linear(inner, wo, null, H, D));
    }

    @ParameterizedTest
    @CsvSource({"0, 1e-5", "4, 0.25"})
    void baseLayerAgreesWithADoubleLoop(float shift, float eps) throws Exception {
        float[] lnWeight = gaussian(D);
        float[] lnBias = gaussian(D);
        for (int i = 0; i < x.length; i++) {
            x[i] += shift;
        }
        double[] ln = Loops.norm(widen(x), true, lnWeight, lnBias, eps, D);
        double[] inner = activated(Activation.RELU, ln, wi, bi);

        assertAgrees(
                ExpertGraphs.baseLayer(lnWeight, lnBias, eps, wi, bi, wo, bo, D, H),
                linear(inner, wo, bo, H, D));
    }

    @Test
    void sharedWithGateAgreesWithADoubleLoop() throws Exception {
        float[] gate = gaussian(D);
        double[] inner =
                times(activated(Activation.SILU, xWide, wi, null), linear(xWide, w3, null, D, H));
        double[] share = map(linear(xWide, gate, null, D, 1), Loops::sigmoid);

        assertAgrees(
                ExpertGraphs.sharedWithGate(gate, wi, w3, wo, D, H),
                times(linear(inner, wo, null, H, D), share));
    }

    @Test
    void constantAnswersEveryRowWithTheBias() throws Exception {
        x[3] = Float.MAX_VALUE;
        try (OpenGraph graph = new OpenGraph(ExpertGraphs.constant(bo))) {
            float[] y = graph.runInAnyBatch(x);
            for (int i = 0; i < y.length; i++) {
                assertThat(y[i]).isEqualTo(bo[i % D]);
            }
        }
    }

    @Test
    void residualMlpTakesTheShareThatItsScaleLeaves() throws Exception {
        float[] coefWeight = gaussian(2 * D);
        float[] coefBias = gaussian(2);
        double[] coef = linear(xWide, coefWeight, coefBias, D, 2);
        double[] share = new double[T];
        for (int t = 0; t < T; t++) {
            share[t] = Loops.sigmoid(coef[2 * t + 1] - coef[2 * t]);
        }
        double[] mlp = linear(activated(Activation.GELU_ERF, xWide, wi, bi), wo, bo, H, D);

        assertAgrees(
                ExpertGraphs.residualMlp(
                        Activation.GELU_ERF, coefWeight, coefBias, wi, bi, wo, bo, D, H),
                times(mlp, share));
        assertAgrees(RouterGraphs.residualScale(coefWeight, coefBias, D), map(share, c -> 1 - c));
    }

    @Test
    void rmsNormAgreesWithADoubleLoop() throws Exception {
        float[] weight = gaussian(D);

        assertAgrees(
                ExpertGraphs.rmsNorm(weight, D, 0.25f),
                Loops.norm(xWide, false, weight, null, 0.25, D));
    }

    @Test
    void declaresItsShapes(@TempDir Path dir) throws Exception {
        Path file = dir.resolve("expert.onnx");
        Files.write(file, ExpertGraphs.gated(Activation.SILU, wi, w3, wo, D, H));

        assertThat(OnnxShapes.read(file)).isEqualTo(new OnnxShapes("hidden", D, "output", D));
    }

    @Test
    void refusesWeightsOfTheWrongSize() {
        assertThatThrownBy(() -> ExpertGraphs.plain(Activation.RELU, wi, null, bo, null, D, H))
                .hasMessage(
                        "weights output.weight has 23 values; expected 851 according to its shape");
    }

    private void assertAgrees(byte[] model, double[] expected) throws Exception {
        try (OpenGraph graph = new OpenGraph(model)) {
            assertClose(graph.runInAnyBatch(x), expected);
        }
    }

    private static double[] activated(Activation act, double[] x, float[] w, float[] b) {
        return map(linear(x, w, b, D, H), z -> Loops.activation(act, z));
    }

    private float[] gaussian(int n) {
        return Loops.gaussian(random, n);
    }
}
