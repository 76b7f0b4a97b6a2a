// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing.health;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class RoutingHealthTest {

    private static final int N = 4;

    @Test
    void balancedLoadIsHealthy() {
        RoutingHealth health =
                RoutingHealth.of(
                        new float[4 * N],
                        new int[] {0, 1, 2, 3, 1, 2, 3, 0},
                        new float[] {.5f, .5f, .5f, .5f, .5f, .5f, .5f, .5f},
                        N);

        assertThat(health.load()).containsExactly(2, 2, 2, 2);
        assertThat(health.share()).containsExactly(.25, .25, .25, .25);
        assertThat(health.deadExperts()).isEmpty();
        assertThat(health.entropy()).isCloseTo(Math.log(N), within(1e-12));
        assertThat(health.importanceCv2()).isZero();
        assertThat(health.loadCv2()).isZero();
        assertThat(health.loadBalancingLoss()).isCloseTo(1, within(1e-12));
        assertThat(health.zLoss()).isCloseTo(Math.pow(Math.log(N), 2), within(1e-12));
    }

    @Test
    void collapseOnOneExpertShowsInEveryFigure() {
        float[] logits = new float[8 * N];
        for (int token = 0; token < 8; token++) {
            logits[token * N + 2] = 1000;
        }

        RoutingHealth health =
                RoutingHealth.of(
                        logits,
                        new int[] {2, 2, 2, 2, 2, 2, 2, 2},
                        new float[] {1, 1, 1, 1, 1, 1, 1, 1},
                        N);

        assertThat(health.share()).containsExactly(0, 0, 1, 0);
        assertThat(health.deadExperts()).containsExactly(0, 1, 3);
        assertThat(health.entropy()).isZero();
        assertThat(health.importanceCv2()).isCloseTo(N - 1, within(1e-9));
        assertThat(health.loadCv2()).isCloseTo(N - 1, within(1e-9));
        assertThat(health.loadBalancingLoss()).isEqualTo(N);
        assertThat(health.zLoss()).isEqualTo(1e6);
    }

    @Test
    void oneExpertAloneIsBalanced() {
        RoutingHealth health =
                RoutingHealth.of(new float[] {3, -3}, new int[] {0, 0}, new float[] {1, 1}, 1);

        assertThat(health.share()).containsExactly(1);
        assertThat(health.loadBalancingLoss()).isEqualTo(1);
        assertThat(health.entropy()).isZero();
        assertThat(health.zLoss()).isEqualTo(9);
        assertThat(Importance.cv2Unbiased(health.load())).isZero();
        assertThat(MutualInformationLoss.of(new float[] {3, -3}, 1)).isZero();
    }

    @Test
    void choicesThatAreNoneCountForNoExpert() {
        RoutingHealth health =
                RoutingHealth.of(new float[2 * N], new int[] {3, -1}, new float[] {1, 0}, N);

        assertThat(health.load()).containsExactly(0, 0, 0, 1);
        assertThat(health.share()).containsExactly(0, 0, 0, 1);
        assertThat(health.loadBalancingLoss()).isCloseTo(.5, within(1e-12));
    }

    @Test
    void mutualInformationIsBestWhenTokensAreToldApart() {
        float[] logits = {1000, 0, 0, 1000};

        assertThat(MutualInformationLoss.of(logits, 2)).isCloseTo(-Math.log(2), within(1e-12));
        assertThat(MutualInformationLoss.of(new float[4], 2)).isCloseTo(0, within(1e-12));
    }

    @Test
    void smoothLoadOfWideNoiseIsTheSameForAllLikeExperts() {
        float[] logits = {0, 0, 0, 0};
        float[] noisy = {1, -1, -1, 1};
        float[] stddev = {1, 1, 1, 1};

        double[] load = ExpertLoad.noisyTopK(logits, noisy, stddev, new int[] {0, 1}, 2);

        assertThat(load[0]).isCloseTo(load[1], within(1e-15));
        // Phi(1) for the chosen one, Phi(-1) for the other.
        assertThat(load[0]).isCloseTo(1, within(1e-15));
    }

    @Test
    void loadIsTheCountWhereEveryExpertIsChosen() {
        float[] any = {.1f, .2f, .3f, .4f};

        assertThat(ExpertLoad.noisyTopK(any, any, any, new int[] {1, 0, 1, 0}, 2))
                .containsExactly(2, 2);
    }

    @Test
    void normalDistributionMeetsItsTable() {
        assertThat(NormalDistribution.cdf(0)).isEqualTo(.5);
        assertThat(NormalDistribution.cdf(1)).isCloseTo(.8413447460685429, within(1e-15));
        assertThat(NormalDistribution.cdf(-1.96)).isCloseTo(.024997895148220435, within(1e-15));
        assertThat(NormalDistribution.cdf(5)).isCloseTo(.9999997133484281, within(1e-15));
        assertThat(NormalDistribution.cdf(9)).isEqualTo(1);
        assertThat(NormalDistribution.cdf(Double.NEGATIVE_INFINITY)).isZero();
    }

    @Test
    void noTokenIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> RouterZLoss.of(new float[0], N))
                .withMessageContaining("0 values")
                .withMessageContaining("T ≥ 1");
    }

    @Test
    void shapesThatDoNotFitAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> LoadBalancingLoss.gshard(new float[N + 1], new int[1], N))
                .withMessageContaining("5 values");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> LoadBalancingLoss.gshard(new float[2 * N], new int[3], N))
                .withMessageContaining("topKIndices have 3 values");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> LoadBalancingLoss.gshard(new float[N], new int[] {N}, N))
                .withMessageContaining("expert 4");
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () -> LoadBalancingLoss.switchGrouped(new float[3 * N], new int[3], N, 2))
                .withMessageContaining("groups is 2");
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                LoadBalancingLoss.mixtralMasked(
                                        new float[N], new int[1], N, new int[] {0}))
                .withMessageContaining("attention_mask");
    }
}
