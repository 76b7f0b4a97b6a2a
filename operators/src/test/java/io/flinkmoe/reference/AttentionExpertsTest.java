package io.flinkmoe.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.golden.GoldenCase;
import io.flinkmoe.golden.GoldenCases;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.RoutingPresets;
import io.flinkmoe.routing.Scores;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class AttentionExpertsTest {

    static List<GoldenCase> attentionCases() throws IOException {
        return GoldenCases.ofSystems("jetmoe_attention", "moduleformer_attention");
    }

    static List<GoldenCase> gateCases() throws IOException {
        return GoldenCases.ofSystems("moduleformer_mlp");
    }

    @ParameterizedTest
    @MethodSource("attentionCases")
    void answersAsThePublishedCode(GoldenCase golden) {
        boolean jetMoe = golden.system().equals("jetmoe_attention");
        int tokens = golden.integer("tokens");
        RoutingConfig routing =
                RoutingPresets.of(jetMoe ? "jetmoe" : "moduleformer")
                        .of(golden.integer("num_experts"), golden.integer("top_k"));
        AttentionForm form =
                jetMoe ? new RotarySoftmax(golden.number("rope_theta")) : new StickBreaking();

        AttentionExperts.Result result =
                new AttentionExperts(weights(golden), routing, form)
                        .forward(golden.floats("x"), tokens);

        golden.assertClose("logits", result.logits(), 1e-5);
        golden.assertIds("topk_ids", result.experts(), result.weights());
        golden.assertWeights(result.weights());
        golden.assertTokensPerExpert(counts(result.experts(), routing.numExperts()));
        golden.assertClose("q", result.q(), 1e-5);
        golden.assertClose("attn_weights", result.attnWeights(), 1e-5);
        golden.assertOut(result.out());
        if (golden.hasTensor("scores")) {
            float[] scores =
                    Scores.of(routing.scoringFunc(), result.logits(), routing.numExperts());
            golden.assertClose("scores", scores, 2e-6);
        }
        assertThat(golden.unread()).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("gateCases")
    void gatesGiveThePublishedLogits(GoldenCase golden) {
        Gate gate = gate(golden);
        int d = gate.width();
        float[] x = golden.floats("x");
        float[] logits = new float[x.length / d * gate.numExperts()];
        for (int i = 0; i < logits.length; i++) {
            int token = i / gate.numExperts();
            double[] row = new double[d];
            for (int j = 0; j < d; j++) {
                row[j] = x[token * d + j];
            }
            logits[i] = (float) gate.logits(row)[i % gate.numExperts()];
        }
        golden.assertClose("logits", logits, 1e-5);
    }

    private static AttentionWeights weights(GoldenCase golden) {
        int d = golden.integer("d_model");
        int experts = golden.integer("num_experts");
        int width = golden.integer("num_heads") * golden.integer("head_dim");
        Linear keys;
        Linear values;
        if (golden.hasTensor("kv.weight")) {
            List<Linear> fused = Linear.stacked(2, width, d, golden.floats("kv.weight"));
            keys = fused.get(0);
            values = fused.get(1);
        } else {
            keys = new Linear(width, d, golden.floats("k.weight"), golden.floats("k.bias"));
            values = new Linear(width, d, golden.floats("v.weight"), golden.floats("v.bias"));
        }
        return new AttentionWeights(
                gate(golden),
                golden.integer("num_heads"),
                Linear.stacked(experts, width, d, golden.floats("experts.wq")),
                keys,
                values,
                Linear.stacked(experts, d, width, golden.floats("experts.wo")),
                golden.hasTensor("out_bias") ? golden.floats("out_bias") : null);
    }

    private static Gate gate(GoldenCase golden) {
        if (golden.hasTensor("router.weight")) {
            return new Gate.OneLayer(linear(golden, "router.weight", null));
        }
        if (golden.hasTensor("router.w1")) {
            return new Gate.TwoLayer(
                    linear(golden, "router.w1", golden.floats("router.b1")),
                    linear(golden, "router.w2", null));
        }
        return new Gate.Cosine(
                linear(golden, "router.proj", null),
                linear(golden, "router.centroids", null),
                golden.floats("router.log_temperature")[0]);
    }

    private static Linear linear(GoldenCase golden, String tensor, float[] bias) {
        int[] shape = golden.shape(tensor);
        return new Linear(shape[0], shape[1], golden.floats(tensor), bias);
    }

    private static int[] counts(int[] ids, int experts) {
        int[] counts = new int[experts];
        Arrays.stream(ids).forEach(id -> counts[id]++);
        return counts;
    }

    @Test
    void laterTokensDoNotChangeEarlierOnes() throws IOException {
        for (GoldenCase golden : attentionCases()) {
            AttentionWeights weights = weights(golden);
            RoutingConfig routing =
                    RoutingConfig.softmax(weights.gate().numExperts(), golden.integer("top_k"));
            AttentionExperts layer = new AttentionExperts(weights, routing, new StickBreaking());
            float[] x = golden.floats("x");
            int tokens = x.length / weights.width();
            float[] half = Arrays.copyOf(x, tokens / 2 * weights.width());

            assertThat(layer.forward(half, tokens / 2).out())
                    .as(golden.name())
                    .isEqualTo(Arrays.copyOf(layer.forward(x, tokens).out(), half.length));
        }
    }

    @Test
    void breaksTheStickFromTheNewestKey() {
        double[] scores = {0, 0, 0};
        new StickBreaking().weigh(scores);
        assertThat(scores).containsExactly(0.125, 0.25, 0.5);

        double[] far = {5, -1000, 1000};
        new StickBreaking().weigh(far);
        assertThat(far).containsExactly(0, 0, 1);
    }

    @Test
    void turnsHalvesByThePosition() {
        double[] vector = {1, 1, 0, 0};
        new RotarySoftmax(100).mark(vector, 3);
        double[] expected = {Math.cos(3), Math.cos(0.3), Math.sin(3), Math.sin(0.3)};
        assertThat(vector).containsExactly(expected, within(1e-7));
    }

    @Test
    void refusesWhatDoesNotFit() {
        Gate gate = new Gate.OneLayer(map(2, 4));
        List<Linear> queries = Linear.stacked(2, 6, 4, new float[48]);
        List<Linear> outputs = Linear.stacked(2, 4, 6, new float[48]);

        assertThatThrownBy(
                        () ->
                                new AttentionWeights(
                                        gate, 4, queries, map(6, 4), map(6, 4), outputs, null))
                .hasMessageContainingAll("heads is 4", "6");
        assertThatThrownBy(
                        () ->
                                new AttentionWeights(
                                        gate, 2, queries, map(6, 4), map(3, 4), outputs, null))
                .hasMessage("values is [3, 4]; allowed: [6, 4]");
        assertThatThrownBy(
                        () ->
                                new AttentionWeights(
                                        gate, 2, outputs, map(6, 4), map(6, 4), outputs, null))
                .hasMessage("queries[0] is [4, 6]; allowed: [6, 4]");
        AttentionWeights weights =
                new AttentionWeights(gate, 2, queries, map(6, 4), map(6, 4), outputs, null);
        assertThatThrownBy(
                        () ->
                                new AttentionExperts(
                                        weights, RoutingConfig.softmax(3, 1), new StickBreaking()))
                .hasMessage("num_experts is 3; allowed: the experts of the gate, which are 2");
        AttentionExperts odd =
                new AttentionExperts(
                        weights, RoutingConfig.softmax(2, 1), new RotarySoftmax(10_000));
        assertThatThrownBy(() -> odd.forward(new float[4], 1))
                .hasMessageContainingAll("head_dim is 3", "even");
        AttentionExperts layer =
                new AttentionExperts(weights, RoutingConfig.softmax(2, 1), new StickBreaking());
        assertThatThrownBy(() -> layer.forward(new float[5], 1))
                .hasMessage("x has 5 values; 1 tokens of width 4 have 4");
        assertThatThrownBy(() -> layer.forward(new float[] {0, Float.NaN, 0, 0}, 1))
                .hasMessageContaining("token 0");
    }

    private static Linear map(int outputs, int inputs) {
        return new Linear(outputs, inputs, new float[outputs * inputs], null);
    }
}
