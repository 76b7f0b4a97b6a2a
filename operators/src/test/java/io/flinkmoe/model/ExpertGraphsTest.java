package io.flinkmoe.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExpertGraphsTest {
    private static final int D = 24;
    private static final int H = 40;
    private static final int N = 5;
    private static final int T = 64;

    private final Random random = new Random(1);
    private final float[] x = gaussian(T * D);

    @Test
    void swiGluAgreesWithADoubleLoop() throws Exception {
        float[] w1 = gaussian(H * D);
        float[] w3 = gaussian(H * D);
        float[] w2 = gaussian(D * H);
        double[] gate = linear(widen(x), w1, D, H);
        double[] inner = linear(widen(x), w3, D, H);
        for (int i = 0; i < inner.length; i++) {
            inner[i] *= gate[i] / (1 + Math.exp(-gate[i]));
        }

        byte[] model = ExpertGraphs.swiGlu(w1, w3, w2, D, H);

        assertClose(OnnxRunner.run(model, x, D), linear(inner, w2, H, D));
        assertRowsDoNotDependOnTheBatch(model);
    }

    @Test
    void routerAgreesWithADoubleLoop() throws Exception {
        float[] weight = gaussian(N * D);

        byte[] model = ExpertGraphs.router(weight, N, D);

        assertClose(OnnxRunner.run(model, x, D), linear(widen(x), weight, D, N));
        assertRowsDoNotDependOnTheBatch(model);
    }

    @Test
    void rmsNormAgreesWithADoubleLoop() throws Exception {
        float[] weight = gaussian(D);
        float eps = 0.25f;
        double[] expected = new double[T * D];
        for (int t = 0; t < T; t++) {
            double squares = 0;
            for (int i = 0; i < D; i++) {
                squares += (double) x[t * D + i] * x[t * D + i];
            }
            for (int i = 0; i < D; i++) {
                expected[t * D + i] = weight[i] * x[t * D + i] / Math.sqrt(squares / D + eps);
            }
        }

        byte[] model = ExpertGraphs.rmsNorm(weight, D, eps);

        assertClose(OnnxRunner.run(model, x, D), expected);
        assertRowsDoNotDependOnTheBatch(model);
    }

    @Test
    void declaresItsShapes(@TempDir Path dir) throws Exception {
        Path file = dir.resolve("router.onnx");
        Files.write(file, ExpertGraphs.router(gaussian(N * D), N, D));

        assertThat(OnnxShapes.read(file)).isEqualTo(new OnnxShapes("hidden", D, "logits", N));
    }

    @Test
    void refusesWeightsOfTheWrongSize() {
        assertThatThrownBy(() -> ExpertGraphs.router(new float[7], N, D))
                .hasMessage("weights weight has 7 values; its shape needs 120");
    }

    private void assertRowsDoNotDependOnTheBatch(byte[] model) throws Exception {
        float[] batch = OnnxRunner.run(model, x, D);
        int width = batch.length / T;
        for (int t = 0; t < T; t++) {
            float[] alone = OnnxRunner.run(model, Arrays.copyOfRange(x, t * D, t * D + D), D);
            assertThat(alone).isEqualTo(Arrays.copyOfRange(batch, t * width, (t + 1) * width));
        }
    }

    /** x wᵀ with w [out, in]. */
    private static double[] linear(double[] x, float[] w, int in, int out) {
        int rows = x.length / in;
        double[] y = new double[rows * out];
        for (int t = 0; t < rows; t++) {
            for (int o = 0; o < out; o++) {
                for (int i = 0; i < in; i++) {
                    y[t * out + o] += x[t * in + i] * w[o * in + i];
                }
            }
        }
        return y;
    }

    /** Within 1e-6 of the largest value expected. */
    private static void assertClose(float[] found, double[] expected) {
        assertThat(found).hasSameSizeAs(expected);
        double tolerance = 1e-6 * Arrays.stream(expected).map(Math::abs).max().orElseThrow();
        for (int i = 0; i < expected.length; i++) {
            assertThat(Math.abs(found[i] - expected[i])).as("value %d", i).isLessThan(tolerance);
        }
    }

    private static double[] widen(float[] values) {
        double[] wide = new double[values.length];
        Arrays.setAll(wide, i -> values[i]);
        return wide;
    }

    private float[] gaussian(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
