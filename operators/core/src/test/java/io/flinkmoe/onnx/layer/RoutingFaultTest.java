// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.model.graph.RouterGraphs;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.tensor.Floats;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What is not finite before the experts, in layers of width 2 with two experts: the logits are the
 * hidden vector, a scale of all weights and a shared expert are linear.
 */
class RoutingFaultTest {

    private static final float NAN = Float.NaN;
    private static final float MASK = Float.NEGATIVE_INFINITY;
    private static final Capacity SURVIVORS =
            AtWindowClose.of(
                            new TumblingWindows(1),
                            CapacityFormula.fixed(1),
                            AdmissionOrder.POSITION)
                    .withWeightRule(WeightRule.SURVIVORS);

    @TempDir private Path directory;

    private float[] encoder;
    private float[] scale;
    private float[] shared;
    private float[] router = {1, 0, 0, 1};
    private ResidualKind residual = ResidualKind.INPUT;
    private RoutingConfig routing = RoutingConfig.softmax(2, 1);
    private Capacity capacity = new Dropless();

    @Test
    void aSharedExpertThatAnswersNaNIsLeftOutOfTheResidual() throws Exception {
        shared = new float[] {NAN, 0, 0, 0}; // NaN times 0 is NaN too
        Routed routed = route(1, 2, 3, 4);
        assertFaults(routed, RoutingFault.SHARED_OUTPUT, RoutingFault.SHARED_OUTPUT);
        assertThat(Floats.toFloats(routed.carried())).containsExactly(1, 2, 3, 4);
        assertThat(routed.hasFaults()).isTrue();
    }

    @Test
    void aSharedExpertThatOverflowsFailsThatTokenAlone() throws Exception {
        shared = new float[] {3e38f, 0, 0, 1};
        Routed routed = route(2, 2, 1, 4);
        assertFaults(routed, RoutingFault.SHARED_OUTPUT, RoutingFault.NONE);
        assertThat(Floats.toFloats(routed.carried())).containsExactly(2, 2, 3e38f, 8);

        residual = ResidualKind.NONE;
        routed = route(2, 2, 1, 4);
        assertFaults(routed, RoutingFault.SHARED_OUTPUT, RoutingFault.NONE);
        assertThat(Floats.toFloats(routed.carried())).containsExactly(0, 0, 3e38f, 4);
    }

    /** Both are finite, their sum is not. */
    @Test
    void aSumOfResidualAndSharedExpertThatOverflowsIsAFault() throws Exception {
        shared = new float[] {1, 0, 0, 1};
        Routed routed = route(3e38f, 0, -3e38f, 0);
        assertFaults(routed, RoutingFault.SHARED_OUTPUT, RoutingFault.SHARED_OUTPUT);
        assertThat(Floats.toFloats(routed.carried())).containsExactly(3e38f, 0, -3e38f, 0);
    }

    @Test
    void aMaskedExpertIsNoFault() throws Exception {
        router = new float[] {1, 0, MASK, MASK}; // −∞ for positive vectors
        Routed routed = route(1, 2, -1, 2);
        assertFaults(routed, RoutingFault.NONE, RoutingFault.LOGITS); // −∞ + ∞ is NaN
        assertThat(routed.experts()[0]).isZero();
        assertThat(routed.weights(0)[0]).isEqualTo(1);
        assertThat(routed.experts()[1]).isEqualTo(-1);
    }

    @Test
    void aWeightThatIsNotFiniteIsAFault() throws Exception {
        scale = new float[] {3e38f, 0};
        Routed routed = route(2, 0, 1, 0);
        assertFaults(routed, RoutingFault.WEIGHTS, RoutingFault.NONE);

        routing = routing.scaledBy(-4);
        routed = route(2, 0, 0.3f, 0);
        assertFaults(routed, RoutingFault.WEIGHTS, RoutingFault.NONE);
    }

    @Test
    void aScaleThatIsNotFiniteIsAFaultThoughTheSharesAreFinite() throws Exception {
        capacity = SURVIVORS;
        scale = new float[] {3e38f, 0};
        routing = routing.scaledBy(2);
        Routed routed = route(1, 0, 0.5f, 0);
        assertFaults(routed, RoutingFault.WEIGHTS, RoutingFault.NONE);
        assertThat(routed.scales(2)[1]).isEqualTo(3e38f);
    }

    @Test
    void scalingWaitsForARuleThatReplacesTheWeights() throws Exception {
        float p = 0.75f;
        float ln3 = (float) Math.log(3);
        scale = new float[] {0, 10};
        routing = routing.scaledBy(2.5f);

        Routed routed = route(2 * ln3, ln3, 0.2f + ln3, 0.2f);
        assertThat(routed.scales(2)).isEmpty();
        float first = (float) (2.5 * p) * (10 * ln3);
        assertThat(routed.weights(0)[0]).isEqualTo(first);

        capacity = SURVIVORS;
        routed = route(2 * ln3, ln3, 0.2f + ln3, 0.2f);
        assertThat(routed.weights(0)[0]).isEqualTo(p);
        assertThat(routed.scales(2)).containsExactly((float) (2.5 * (10 * ln3)), 5);

        scale = null;
        routed = route(2 * ln3, ln3);
        assertThat(routed.weights(0)[0]).isEqualTo(p);
        assertThat(routed.scales(1)).containsExactly(2.5f);

        routing = RoutingConfig.softmax(2, 1);
        assertThat(route(2 * ln3, ln3).scales(1)).isEmpty();
    }

    @Test
    void anEncodingThatIsNotFiniteIsTheFirstFault() throws Exception {
        encoder = new float[] {3e38f, 0, 0, 1};
        shared = new float[] {NAN, 0, 0, 0};
        Routed routed = route(2, 0, 1, 1, -5, 0);
        assertFaults(
                routed, RoutingFault.ENCODING, RoutingFault.SHARED_OUTPUT, RoutingFault.ENCODING);
        assertThat(routed.acceptedRows(3)).containsExactly(1);
        assertThat(routed.rowsWith(RoutingFault.ENCODING, 3)).containsExactly(0, 2);
    }

    @Test
    void forgetsTheFaultsOfAnEarlierCall() throws Exception {
        try (BundleSessions sessions = write()) {
            LayerRouter layer = new LayerRouter(sessions, 0, 4);
            Routed routed = layer.route(Floats.toBytes(new float[] {NAN, 0, 1, 1}), 2);
            assertFaults(routed, RoutingFault.LOGITS, RoutingFault.NONE);
            routed = layer.route(Floats.toBytes(new float[] {1, 1}), 1);
            assertFaults(routed, RoutingFault.NONE);
            assertThat(routed.hasFaults()).isFalse();
        }
    }

    private static void assertFaults(Routed routed, RoutingFault... expected) {
        for (int token = 0; token < expected.length; token++) {
            assertThat(routed.fault(token)).as("token %d", token).isEqualTo(expected[token]);
            assertThat(routed.isRoutable(token)).isEqualTo(expected[token] == RoutingFault.NONE);
        }
    }

    private Routed route(float... x) throws Exception {
        try (BundleSessions sessions = write()) {
            return new LayerRouter(sessions, 0, 4, capacity).route(Floats.toBytes(x), x.length / 2);
        }
    }

    private BundleSessions write() throws Exception {
        Path folder = directory.resolve("bundle-" + directory.toFile().list().length);
        try (BundleWriter writer = new BundleWriter(folder)) {
            writer.add("router.onnx", RouterGraphs.linear(router, 2, 2));
            writer.add("expert.onnx", ExpertGraphs.constant(new float[2]));
            LayerSpec layer =
                    LayerSpec.oneGate(
                                    2,
                                    "router.onnx",
                                    routing,
                                    List.of("expert.onnx", "expert.onnx"))
                            .withExpertScale(add(writer, "scale", scale, 1))
                            .withResidual(residual)
                            .withSharedExperts(
                                    shared == null
                                            ? List.of()
                                            : List.of(add(writer, "shared", shared, 2)));
            String first = add(writer, "encoder", encoder, 2);
            Bundle bundle =
                    writer.finish(
                            (version, checksums) ->
                                    new BundleSpec(
                                            BundleSpec.FORMAT_VERSION,
                                            "faults",
                                            version,
                                            2,
                                            2,
                                            ModelFile.ofNullable(first),
                                            null,
                                            List.of(layer),
                                            checksums));
            return new BundleSessions(bundle);
        }
    }

    /** A linear model [width, 2], or none. */
    private static String add(BundleWriter writer, String name, float[] weight, int width)
            throws Exception {
        if (weight == null) {
            return null;
        }
        writer.add(
                name + ".onnx",
                new OnnxGraph(name)
                        .input("hidden", 2)
                        .output("output", width)
                        .linear("output", "hidden", weight, null, 2, width)
                        .toBytes());
        return name + ".onnx";
    }
}
