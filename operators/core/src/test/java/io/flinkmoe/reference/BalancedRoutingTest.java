// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.routing.TopK;
import io.flinkmoe.routing.health.ExpertLoad;
import io.flinkmoe.routing.health.Importance;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BalancedRoutingTest {

    @ParameterizedTest
    @CsvSource({"1, 8", "2, 2", "4, 4", "4, 96", "8, 64", "16, 160", "70, 140"})
    void auctionIsBalancedAndNearTheOptimum(int experts, int tokens) {
        float[] scores = gaussian(tokens * experts, 31L * experts + tokens);

        int[] auction =
                BalancedAssignment.expertOfToken(
                        BalancedAssignment.auction(scores, experts), experts);
        int[] optimal = OptimalAssignment.of(scores, experts);

        assertThat(ExpertLoad.count(auction, experts)).containsOnly((double) tokens / experts);
        assertThat(ExpertLoad.count(optimal, experts)).containsOnly((double) tokens / experts);
        double best = BalancedAssignment.value(scores, experts, optimal);
        assertThat(BalancedAssignment.value(scores, experts, auction))
                .isBetween(best - tokens * spread(scores) / 50, best + 1e-9);
    }

    @Test
    void optimumIsTheBestOfAllAssignments() {
        for (long seed = 0; seed < 20; seed++) {
            float[] scores = gaussian(6 * 3, seed);

            int[] optimal = OptimalAssignment.of(scores, 3);

            assertThat(BalancedAssignment.value(scores, 3, optimal))
                    .isCloseTo(bestOfAll(scores, 3, new int[6], 0), within(1e-9));
        }
    }

    @Test
    void tokensThatAllWantOneExpertAreSpread() {
        float[] scores = new float[32 * 4];
        for (int token = 0; token < 32; token++) {
            scores[token * 4 + 1] = 5;
        }

        int[] experts = BalancedAssignment.expertOfToken(BalancedAssignment.auction(scores, 4), 4);

        assertThat(ExpertLoad.count(experts, 4)).containsExactly(8, 8, 8, 8);
    }

    @Test
    void scoresThatAreNotFiniteCountAsTheSmallest() {
        float[] scores = {Float.NaN, 2, 1, 0, Float.POSITIVE_INFINITY, 3, 4, Float.NaN};
        float[] replaced = {0, 2, 1, 0, 0, 3, 4, 0};

        assertThat(BalancedAssignment.auction(scores, 2))
                .isEqualTo(BalancedAssignment.auction(replaced, 2));
        assertThat(OptimalAssignment.of(scores, 2)).containsExactly(1, 0, 1, 0);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BalancedAssignment.auction(new float[] {Float.NaN}, 1))
                .withMessageContaining("no score is finite");
    }

    @Test
    void tokensThatCannotBeSharedEvenlyAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BalancedAssignment.auction(new float[6], 2))
                .withMessageContaining("3 tokens");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> OptimalAssignment.of(new float[0], 2));
    }

    @Test
    void equalValuesComeInTheOrderOfTorch() {
        assertThat(TorchTopK.indices(new float[8], 0, 8, 2)).containsExactly(6, 5);
        assertThat(TorchTopK.indices(new float[16], 0, 16, 4)).containsExactly(10, 11, 12, 9);
        assertThat(TorchTopK.indices(new float[128], 0, 128, 2)).containsExactly(0, 1);
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "5, 5", "40, 1", "40, 39", "300, 100", "300, 3"})
    void torchTopKFindsTheLargest(int n, int k) {
        float[] values = gaussian(n + 2, n);

        int[] indices = TorchTopK.indices(values, 2, n, k);

        int[] expected = new int[k];
        new TopK(n, k, null).select(values, 2, 1, expected, 0);
        assertThat(indices).isEqualTo(expected);
    }

    @Test
    void sinkhornPlanHasTheMarginals() {
        float[] plan = Sinkhorn.plan(gaussian(40 * 5, 7), 5);

        double[] columns = Importance.of(plan, 5);
        assertThat(columns).containsExactly(new double[] {.2, .2, .2, .2, .2}, within(1e-5));
        for (int token = 0; token < 40; token++) {
            double row = 0;
            for (int expert = 0; expert < 5; expert++) {
                row += plan[token * 5 + expert];
            }
            assertThat(row).isCloseTo(1.0 / 40, within(1e-4));
        }
    }

    @Test
    void sinkhornOfOneExpertGivesItAllTokens() {
        int[] ids = {-1, -1};
        float[] weights = new float[2];

        Sinkhorn.route(new float[] {0, 2}, 1, 1, ids, weights);

        assertThat(ids).containsExactly(0, 0);
        assertThat(weights).containsExactly(.5f, (float) (1 / (1 + StrictMath.exp(-2))));
    }

    @Test
    void sinkhornRefusesLogitsWhoseExponentialIsInfinite() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Sinkhorn.plan(new float[] {0, 701}, 2))
                .withMessageContaining("701");
        assertThat(Sinkhorn.plan(new float[] {100, -100, -100, 100}, 2))
                .containsExactly(new float[] {.5f, 0, 0, .5f}, within(1e-4f));
    }

    @Test
    void expertsTakeEqualTokensByTheLowestIndex() {
        ExpertChoice choice = ExpertChoice.overExperts(new float[6 * 2], 2, 3);

        assertThat(choice.tokenIds()).containsExactly(0, 1, 2, 0, 1, 2);
        assertThat(choice.weights()).containsOnly(.5f);
        assertThat(choice.expertsPerToken()).containsExactly(2, 2, 2, 0, 0, 0);
        assertThat(ExpertChoice.overTokens(new float[6 * 2], 2, 3).weights())
                .containsOnly((float) (1 / 6.0) / 2);
    }

    @Test
    void expertChoiceOfOneExpertOrAllTokensIsDefined() {
        assertThat(ExpertChoice.overExperts(new float[] {1, 2, 3}, 1, 2).tokenIds())
                .containsExactly(0, 1);
        assertThat(ExpertChoice.overTokens(new float[] {1, 2, 3}, 1, 3).tokenIds())
                .containsExactly(2, 1, 0);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ExpertChoice.overExperts(new float[3], 1, 4))
                .withMessageContaining("capacity is 4");
    }

    @Test
    void biasMovesAgainstTheLoadByTheRateAlone() {
        assertThat(BiasUpdate.step(new float[] {1, 1, 1}, new long[] {0, 1_000_000, 500_000}, .5f))
                .containsExactly(1.5f, .5f, 1);
        assertThat(BiasUpdate.step(new float[] {1}, new long[] {7}, .5f)).containsExactly(1);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BiasUpdate.step(new float[2], new long[1], .5f))
                .withMessageContaining("load has 1 values, bias 2");
    }

    private static float[] gaussian(int count, long seed) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static double spread(float[] scores) {
        float[] sorted = scores.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length - 1] - sorted[0];
    }

    private static double bestOfAll(float[] scores, int experts, int[] chosen, int token) {
        if (token == chosen.length) {
            return BalancedAssignment.value(scores, experts, chosen);
        }
        double best = Double.NEGATIVE_INFINITY;
        for (int expert = 0; expert < experts; expert++) {
            int choice = expert;
            long taken = Arrays.stream(chosen, 0, token).filter(before -> before == choice).count();
            if (taken < chosen.length / experts) {
                chosen[token] = expert;
                best = Math.max(best, bestOfAll(scores, experts, chosen, token + 1));
            }
        }
        return best;
    }
}
