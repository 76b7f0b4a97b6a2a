// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.model.RuleSpec;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.RouterGraphs;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.TopKRouter;
import io.flinkmoe.tensor.Floats;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Compares the parts of a layer that see every token with plain loops in double. */
class LayerRouterTest {

    private static final int INPUT = 3;
    private static final int D = 6;
    private static final int N = 5;
    private static final int K = 2;
    private static final int H = 7;
    private static final int T = 11;
    private static final int MAX_ROWS = 16;
    private static final float EPS = 0.125f;

    @TempDir private Path directory;

    private final Random random = new Random(1);
    private final float[] encoder = gaussian(D * INPUT);
    private final float[] norm = gaussian(D);
    private final float[] router = gaussian(N * D);
    private final float[][] shared = {
        gaussian(H * D), gaussian(H * D), gaussian(D * H),
        gaussian(H * D), gaussian(H * D), gaussian(D * H)
    };

    @Test
    void routesAPlainLayerAndPassesItsInputOn() throws Exception {
        float[] x = gaussian(T * D);
        byte[] vectors = Floats.toBytes(x);
        try (BundleSessions sessions = write(false, false, 0, ResidualKind.INPUT)) {
            LayerRouter layer = new LayerRouter(sessions, 0, MAX_ROWS);
            Routed routed = layer.route(vectors, T);

            assertThat(layer.inputWidth()).isEqualTo(D);
            checkRouting(routed, linear(widen(x), router, D, N));
            assertThat(routed.hidden()).isEqualTo(vectors);
            assertThat(routed.carried()).isEqualTo(vectors);
        }
    }

    @Test
    void givesExpertsAndRouterTheNormButKeepsTheInputAsResidual() throws Exception {
        float[] x = gaussian(T * D);
        double[] hidden = rmsNorm(widen(x));
        try (BundleSessions sessions = write(false, true, 0, ResidualKind.INPUT)) {
            Routed routed = new LayerRouter(sessions, 0, MAX_ROWS).route(Floats.toBytes(x), T);

            checkRouting(routed, linear(hidden, router, D, N));
            assertClose("hidden", routed.hidden(), hidden);
            assertThat(routed.carried()).isEqualTo(Floats.toBytes(x));
        }
    }

    @Test
    void addsTheSharedExpertsOfTheNormToTheResidual() throws Exception {
        float[] x = gaussian(T * D);
        double[] hidden = rmsNorm(widen(x));
        double[] residual = widen(x);
        add(residual, swiGlu(hidden, 0));
        add(residual, swiGlu(hidden, 3));
        try (BundleSessions sessions = write(false, true, 2, ResidualKind.INPUT)) {
            Routed routed = new LayerRouter(sessions, 0, MAX_ROWS).route(Floats.toBytes(x), T);

            checkRouting(routed, linear(hidden, router, D, N));
            assertClose("hidden", routed.hidden(), hidden);
            assertClose("carried", routed.carried(), residual);
        }
    }

    @Test
    void aTokenCarriesNothingForAResidualOfNone() throws Exception {
        float[] x = gaussian(T * D);
        try (BundleSessions sessions = write(false, false, 0, ResidualKind.NONE)) {
            Routed routed = new LayerRouter(sessions, 0, MAX_ROWS).route(Floats.toBytes(x), T);
            assertThat(routed.carried()).isEmpty();
            assertThat(routed.hidden()).isEqualTo(Floats.toBytes(x));
        }
    }

    @Test
    void takesTheSharedExpertsAloneForAResidualOfNone() throws Exception {
        float[] x = gaussian(T * D);
        try (BundleSessions sessions = write(false, false, 1, ResidualKind.NONE)) {
            Routed routed = new LayerRouter(sessions, 0, MAX_ROWS).route(Floats.toBytes(x), T);
            assertClose("carried", routed.carried(), swiGlu(widen(x), 0));
        }
    }

    /** The row of zeros has none by which an operator finds out whether a model runs at all. */
    @Test
    void aRuleGivesATokenWithoutAStreamItsFallback() throws Exception {
        try (BundleWriter writer = new BundleWriter(directory.resolve("rule"))) {
            writer.add("expert.onnx", RouterGraphs.linear(router, N, D));
            ExpertSpec expert = ExpertSpec.of("expert.onnx", N);
            LayerSpec layer =
                    new LayerSpec(
                            D,
                            N,
                            null,
                            null,
                            ResidualKind.NONE,
                            List.of(expert, expert),
                            List.of(),
                            List.of(GateSpec.of("r", RuleSpec.ofStream(Map.of("s", "0"), "1"))),
                            null);
            Bundle bundle =
                    writer.finish(
                            (version, checksums) ->
                                    new BundleSpec(
                                            BundleSpec.FORMAT_VERSION,
                                            "rule",
                                            version,
                                            D,
                                            N,
                                            null,
                                            null,
                                            List.of(layer),
                                            checksums));
            try (BundleSessions sessions = new BundleSessions(bundle)) {
                Routed routed =
                        new LayerRouter(sessions, 0, MAX_ROWS)
                                .route(Floats.toBytes(gaussian(D)), 1);
                assertThat(routed.experts()[0]).isEqualTo(1);
            }
        }
    }

    @Test
    void encodesBeforeTheFirstLayerOnly() throws Exception {
        float[] features = gaussian(T * INPUT);
        double[] encoded = linear(widen(features), encoder, INPUT, D);
        double[] hidden = rmsNorm(encoded);
        double[] residual = encoded.clone();
        add(residual, swiGlu(hidden, 0));
        try (BundleSessions sessions = write(true, true, 1, ResidualKind.INPUT)) {
            LayerRouter first = new LayerRouter(sessions, 0, MAX_ROWS);
            Routed routed = first.route(Floats.toBytes(features), T);
            assertThat(first.inputWidth()).isEqualTo(INPUT);
            checkRouting(routed, linear(hidden, router, D, N));
            assertClose("hidden", routed.hidden(), hidden);
            assertClose("carried", routed.carried(), residual);

            LayerRouter second = new LayerRouter(sessions, 1, MAX_ROWS);
            assertThat(second.inputWidth()).isEqualTo(D);
            float[] x = gaussian(T * D);
            routed = second.route(Floats.toBytes(x), T);
            assertClose("hidden of layer 1", routed.hidden(), rmsNorm(widen(x)));
        }
    }

    @Test
    void keepsHiddenAndCarriedOfAnEarlierCall() throws Exception {
        try (BundleSessions sessions = write(true, true, 1, ResidualKind.INPUT)) {
            LayerRouter layer = new LayerRouter(sessions, 0, MAX_ROWS);
            Routed routed = layer.route(Floats.toBytes(gaussian(T * INPUT)), T);
            byte[] hidden = routed.hidden();
            byte[] carried = routed.carried();
            byte[] hiddenBefore = hidden.clone();
            byte[] carriedBefore = carried.clone();
            layer.route(Floats.toBytes(gaussian(MAX_ROWS * INPUT)), MAX_ROWS);
            assertThat(hidden).isEqualTo(hiddenBefore);
            assertThat(carried).isEqualTo(carriedBefore);
        }
    }

    @Test
    void givesATokenTheSameBitsInEveryBlock() throws Exception {
        float[] x = gaussian(MAX_ROWS * INPUT);
        try (BundleSessions sessions = write(true, true, 2, ResidualKind.INPUT)) {
            LayerRouter layer = new LayerRouter(sessions, 0, MAX_ROWS);
            Routed all = layer.route(Floats.toBytes(x), MAX_ROWS);
            byte[] carried = all.carried();
            float[] logits = all.logits(0).clone();
            for (int row = 0; row < MAX_ROWS; row++) {
                byte[] alone =
                        Floats.toBytes(Arrays.copyOfRange(x, row * INPUT, (row + 1) * INPUT));
                Routed routed = layer.route(alone, 1);
                int bytes = D * Float.BYTES;
                assertThat(routed.carried())
                        .as("row %d", row)
                        .isEqualTo(Arrays.copyOfRange(carried, row * bytes, (row + 1) * bytes));
                assertThat(Arrays.copyOf(routed.logits(0), N))
                        .isEqualTo(Arrays.copyOfRange(logits, row * N, (row + 1) * N));
            }
        }
    }

    @Test
    void tellsTheTokensThatCannotBeRouted() throws Exception {
        float[] x = gaussian(3 * D);
        x[D + 2] = Float.NaN;
        try (BundleSessions sessions = write(false, false, 0, ResidualKind.INPUT)) {
            Routed routed = new LayerRouter(sessions, 0, MAX_ROWS).route(Floats.toBytes(x), 3);
            assertThat(routed.isRoutable(0)).isTrue();
            assertThat(routed.isRoutable(1)).isFalse();
            assertThat(routed.isRoutable(2)).isTrue();
        }
    }

    /** A bundle of two equal layers, with or without an encoder. */
    private BundleSessions write(
            boolean encodes, boolean normed, int sharedExperts, ResidualKind residual)
            throws Exception {
        try (BundleWriter writer = new BundleWriter(directory.resolve("bundle"))) {
            writer.add("router.onnx", RouterGraphs.linear(router, N, D));
            writer.add("norm.onnx", ExpertGraphs.rmsNorm(norm, D, EPS));
            writer.add("expert.onnx", swiGlu(0));
            writer.add("encoder.onnx", RouterGraphs.linear(encoder, D, INPUT));
            List<String> sharedFiles = new ArrayList<>();
            for (int i = 0; i < sharedExperts; i++) {
                sharedFiles.add("shared" + i + ".onnx");
                writer.add(sharedFiles.get(i), swiGlu(3 * i));
            }
            LayerSpec layer =
                    LayerSpec.oneGate(
                                    D,
                                    "router.onnx",
                                    RoutingConfig.mixtral(N, K),
                                    Collections.nCopies(N, "expert.onnx"))
                            .withNorm(normed ? "norm.onnx" : null)
                            .withResidual(residual)
                            .withSharedExperts(sharedFiles);
            Bundle bundle =
                    writer.finish(
                            (version, checksums) ->
                                    new BundleSpec(
                                            BundleSpec.FORMAT_VERSION,
                                            "layers",
                                            version,
                                            encodes ? INPUT : D,
                                            D,
                                            encodes ? ModelFile.of("encoder.onnx") : null,
                                            null,
                                            List.of(layer, layer),
                                            checksums));
            return new BundleSessions(bundle);
        }
    }

    private void checkRouting(Routed routed, double[] logits) {
        for (int i = 0; i < T * N; i++) {
            assertThat((double) routed.logits(0)[i])
                    .as("logit %d", i)
                    .isCloseTo(logits[i], within(1e-5));
        }
        int[] experts = new int[T * K];
        float[] weights = new float[T * K];
        new TopKRouter(RoutingConfig.mixtral(N, K)).route(routed.logits(0), T, experts, weights);
        assertThat(Arrays.copyOf(routed.experts(), T * K)).isEqualTo(experts);
        assertThat(Arrays.copyOf(routed.weights(0), T * K)).isEqualTo(weights);
    }

    private static void assertClose(String what, byte[] found, double[] expected) {
        float[] values = Floats.toFloats(found);
        assertThat(values).as(what).hasSameSizeAs(expected);
        for (int i = 0; i < values.length; i++) {
            assertThat((double) values[i])
                    .as("%s %d", what, i)
                    .isCloseTo(expected[i], within(1e-5 * (1 + Math.abs(expected[i]))));
        }
    }

    private byte[] swiGlu(int first) {
        return ExpertGraphs.gated(
                Activation.SILU, shared[first], shared[first + 1], shared[first + 2], D, H);
    }

    private double[] swiGlu(double[] x, int first) {
        double[] inner = linear(x, shared[first + 1], D, H);
        double[] gate = linear(x, shared[first], D, H);
        for (int i = 0; i < inner.length; i++) {
            inner[i] *= gate[i] / (1 + Math.exp(-gate[i]));
        }
        return linear(inner, shared[first + 2], H, D);
    }

    private double[] rmsNorm(double[] x) {
        double[] y = new double[x.length];
        for (int row = 0; row < x.length / D; row++) {
            double squares = 0;
            for (int i = row * D; i < row * D + D; i++) {
                squares += x[i] * x[i];
            }
            for (int i = row * D; i < row * D + D; i++) {
                y[i] = norm[i % D] * x[i] / Math.sqrt(squares / D + EPS);
            }
        }
        return y;
    }

    /** x wᵀ with w [out, in]. */
    private static double[] linear(double[] x, float[] w, int in, int out) {
        int rows = x.length / in;
        double[] y = new double[rows * out];
        for (int i = 0; i < y.length; i++) {
            for (int j = 0; j < in; j++) {
                y[i] += x[i / out * in + j] * w[i % out * in + j];
            }
        }
        return y;
    }

    private static void add(double[] sum, double[] values) {
        Arrays.setAll(sum, i -> sum[i] + values[i]);
    }

    private static double[] widen(float[] values) {
        double[] wide = new double[values.length];
        Arrays.setAll(wide, i -> values[i]);
        return wide;
    }

    private float[] gaussian(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
