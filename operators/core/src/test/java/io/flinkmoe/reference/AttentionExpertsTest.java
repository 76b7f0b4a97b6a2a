// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.golden.GoldenAttention;
import io.flinkmoe.golden.GoldenCase;
import io.flinkmoe.golden.GoldenCases;
import io.flinkmoe.routing.RoutingConfig;
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
    @MethodSource("gateCases")
    void gatesGiveThePublishedLogits(GoldenCase golden) {
        Gate gate = GoldenAttention.gate(golden);
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

    @Test
    void laterTokensDoNotChangeEarlierOnes() throws IOException {
        for (GoldenCase golden : attentionCases()) {
            AttentionWeights weights = GoldenAttention.weights(golden);
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
