// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.routing.RoutingConfig.SelectOn;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** The options that only some of today's models have. */
class RoutingOptionsTest {
    private static final Offset<Float> WITHIN = Offset.offset(1e-6f);

    @Test
    void aSoftcapBoundsLogitsAndKeepsMaskedExperts() {
        float[] logits = {0, 1, 100, Float.NEGATIVE_INFINITY, 7};

        LogitSoftcap.apply(2f, logits, 4);

        assertThat(logits[0]).isZero();
        assertThat(logits[1]).isCloseTo((float) (2 * Math.tanh(0.5)), WITHIN);
        assertThat(logits[2]).isEqualTo(2);
        assertThat(logits[3]).isEqualTo(Float.NEGATIVE_INFINITY);
        assertThat(logits[4]).isEqualTo(7);
    }

    @Test
    void sparsemixerWeighsEachChoiceAmongTheExpertsCloseToIt() {
        // 2ε = 0.2. Of 4: 3.9 is close, 3 is not. Of 3.9 without 4: 3.5 is close, 3 is not.
        float[] logits = {3, 4, 3.9f, 3.5f};

        float[] weights = route(RoutingConfig.sparsemixer(4, 2, 0.1f), logits, 1, 2);

        double first = Math.exp(4) / (Math.exp(4) + Math.exp(3.9) + Math.exp(3.5));
        double second = Math.exp(3.9) / (Math.exp(3.9) + Math.exp(3.5));
        assertThat(weights[0]).isCloseTo((float) first, WITHIN);
        assertThat(weights[1]).isCloseTo((float) second, WITHIN);
    }

    @Test
    void theDenominatorHasAnEpsilonAndAFloor() {
        RoutingConfig config = RoutingConfig.sigmoid(3, 2).normalized(true);
        float[] logits = {0, 1, -1};
        double a = 1 / (1 + Math.exp(-1));

        float[] plus = route(config.withDenominator(0.5f, null), logits, 1, 0);
        assertThat(plus[0]).isCloseTo((float) (a / (a + 0.5 + 0.5)), WITHIN);
        float[] least = route(config.withDenominator(null, 4f), logits, 1, 0);
        assertThat(least[1]).isCloseTo(0.5f / 4, WITHIN);
        RoutingConfig softmax = RoutingConfig.mixtral(3, 2).withDenominator(null, 2f);
        double sum = Math.exp(0) + Math.exp(1) + Math.exp(-1);
        assertThat(route(softmax, logits, 1, 0)[0])
                .isCloseTo((float) (Math.exp(1) / sum / 2), WITHIN);
    }

    @Test
    void aBiasMayBeAddedToTheLogits() {
        // Scores with the bias choose expert 0, logits with the bias expert 1.
        RoutingConfig config = RoutingConfig.sigmoid(2, 1).biased(List.of(0.5f, 0f));
        float[] logits = {1, 2};

        route(config, logits, 0);
        float[] weights = route(config.selectedOn(SelectOn.LOGITS), logits, 1);

        assertThat(weights[0]).isCloseTo((float) (1 / (1 + Math.exp(-2))), WITHIN);
    }

    @Test
    void aScalePerExpertComesLast() {
        RoutingConfig config =
                RoutingConfig.mixtral(2, 2).scaledBy(3).scaledPerExpert(List.of(5f, 7f));

        float[] weights = route(config, new float[] {1, 1}, 0, 1);

        assertThat(weights).containsExactly(7.5f, 10.5f);
    }

    @Test
    void refusesWhatHasNoMeaning() {
        assertRefused(
                () -> RoutingConfig.softmax(2, 1).withDenominator(1f, null),
                "norm_epsilon is set, but norm_topk_prob is false; remove one of the two");
        assertRefused(
                () -> RoutingConfig.mixtral(2, 1).withDenominator(null, -1f),
                "norm_floor is -1.0; allowed: 0 or more");
        assertRefused(
                () -> RoutingConfig.softmax(2, 1).softcapped(0f),
                "logit_softcap is 0.0; allowed: finite values above 0");
        assertRefused(
                () -> RoutingConfig.softmax(2, 1).scaledPerExpert(List.of(1f)),
                "per_expert_scale has 1 values; allowed: num_experts, which is 2");
        assertRefused(
                () -> RoutingConfig.sparsemixer(2, 1, -1),
                "sparsemixer_eps is -1.0; allowed: 0 or more");
    }

    private static void assertRefused(Runnable config, String message) {
        assertThatThrownBy(config::run)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(message);
    }

    /** Returns the weights, and checks the choices. */
    private static float[] route(RoutingConfig config, float[] logits, int... expected) {
        int[] indices = new int[config.k()];
        float[] weights = new float[config.k()];
        new TopKRouter(config).route(logits, 1, indices, weights);
        assertThat(indices).containsExactly(expected);
        return weights;
    }
}
