// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.TopKRouter;
import org.junit.jupiter.api.Test;

class WeightRuleTest {

    /**
     * Two tokens of two choices: the second choice of the first overflows, and both of the other.
     */
    private static final float[] SCORES = {0.5f, 0.25f, 0.5f, 0.25f};

    private static final boolean[] EXECUTED = {true, false, false, false};

    private static float[] applied(WeightRule rule, float[] weights, boolean... executed) {
        float[] applied = weights.clone();
        rule.apply(applied, executed, 2);
        return applied;
    }

    @Test
    void rawScoresStayAsTheyAre() {
        assertThat(applied(WeightRule.ROUTER, SCORES, EXECUTED)).isEqualTo(SCORES);
    }

    @Test
    void normalizedBeforeDroppingASurvivorKeepsItsShare() {
        float[] logits = {(float) Math.log(2), 0, -100};
        float[] weights = new float[2];
        new TopKRouter(RoutingConfig.mixtral(3, 2)).route(logits, 1, new int[2], weights);

        assertThat(applied(WeightRule.ROUTER, weights, true, false)[0])
                .isEqualTo((float) (2 / 3.0));
    }

    @Test
    void normalizedAfterDroppingASurvivorTakesAll() {
        assertThat(applied(WeightRule.SURVIVORS, SCORES, EXECUTED)).containsExactly(1, 0, 0, 0);
        assertThat(applied(WeightRule.SURVIVORS, SCORES, true, true, false, true))
                .containsExactly((float) (2 / 3.0), (float) (1 / 3.0), 0, 1);
    }

    @Test
    void aSurvivorBelowTheLimitOfTheDenominatorStaysBelowOne() {
        assertThat(applied(WeightRule.SURVIVORS, new float[] {1, 0x1p-24f}, false, true))
                .containsExactly(0, 0.5f);
    }

    @Test
    void sharesOfAWindowAreDividedByTheExpertsThatTookTheToken() {
        assertThat(applied(WeightRule.WINDOW, SCORES, true, true, false, true))
                .containsExactly(0.25f, 0.125f, 0, 0.25f);
        assertThat(applied(WeightRule.WINDOW, SCORES, EXECUTED)).containsExactly(0.5f, 0, 0, 0);
    }

    @Test
    void replacesTheWeightsOfTheRouterUnlessTheyStay() {
        assertThat(WeightRule.ROUTER.replacesRouterWeights()).isFalse();
        assertThat(WeightRule.SURVIVORS.replacesRouterWeights()).isTrue();
        assertThat(WeightRule.WINDOW.replacesRouterWeights()).isTrue();
        assertThat(WeightRule.SURVIVORS.usesWindowShares()).isFalse();
        assertThat(WeightRule.WINDOW.usesWindowShares()).isTrue();
    }
}
