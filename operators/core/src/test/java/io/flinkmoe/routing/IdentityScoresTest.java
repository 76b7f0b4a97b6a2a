// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The scoring function identity: the router's outputs are the weights, and 0 means not chosen. */
class IdentityScoresTest {

    private static final RoutingConfig TOP_2 = identity(2);

    private static RoutingConfig identity(Integer k) {
        return new RoutingConfig(4, k, ScoringFunc.IDENTITY, null, null, false, null, null, null);
    }

    @Test
    void takesTheLogitsForTheWeights() {
        Chosen chosen = Chosen.of(TOP_2, 0, 2, 0.5f, 0.25f);

        assertThat(chosen.experts).containsExactly(1, 2);
        assertThat(chosen.weights).containsExactly(2, 0.5f);
        assertThat(chosen.isInvalid).isFalse();
    }

    @Test
    void doesNotChooseAnExpertOfWeightZero() {
        for (float zero : new float[] {0, -0f}) {
            Chosen chosen = Chosen.of(TOP_2, zero, zero, 0.25f, zero);
            assertThat(chosen.experts).containsExactly(2, -1);
            assertThat(chosen.weights).containsExactly(0.25f, 0);
            assertThat(chosen.isInvalid).isFalse();
        }
        Chosen dense = Chosen.of(identity(null), 0, 3, 0, 7);
        assertThat(dense.experts).containsExactly(3, 1, -1, -1);
        assertThat(dense.weights).containsExactly(7, 3, 0, 0);
        assertThat(dense.isInvalid).isFalse();
    }

    @Test
    void aTokenOfZerosAloneIsValidAndMakesNoChoice() {
        for (Integer k : new Integer[] {1, 2, 4, null}) {
            Chosen chosen = Chosen.of(identity(k), 0, -0f, 0, -0f);
            assertThat(chosen.experts).containsOnly(-1);
            assertThat(chosen.weights).containsOnly(0);
            assertThat(chosen.isInvalid).as("k is %s", k).isFalse();
        }
    }

    @ParameterizedTest
    @ValueSource(
            floats = {
                -Float.MIN_VALUE,
                -1,
                Float.NaN,
                Float.POSITIVE_INFINITY,
                Float.NEGATIVE_INFINITY
            })
    void aTokenWithAnInvalidWeightIsInvalidThoughOthersAreLarger(float invalid) {
        for (Integer k : new Integer[] {1, 2, null}) {
            for (float others : new float[] {0, 5}) {
                Chosen chosen = Chosen.of(identity(k), others, others, invalid, others);
                assertThat(chosen.experts).containsOnly(-1);
                assertThat(chosen.weights).containsOnly(0);
                assertThat(chosen.isInvalid).as("k is %s", k).isTrue();
            }
        }
    }

    @Test
    void tellsTokensOfOneCallApart() {
        TopKRouter router = new TopKRouter(TOP_2);
        float[] logits = {1, 2, 3, 4, 0, 0, 0, 0, 0, -1, 5, 6, 0, 0, 0, 9};
        int[] experts = new int[8];
        float[] weights = new float[8];

        router.route(logits, 4, experts, weights);

        assertThat(experts).containsExactly(3, 2, -1, -1, -1, -1, 3, -1);
        assertThat(weights).containsExactly(4, 3, 0, 0, 0, 0, 9, 0);
        for (int token = 0; token < 4; token++) {
            assertThat(router.isInvalid(logits, token, experts)).isEqualTo(token == 2);
        }
    }

    @Test
    void normalizesAndScalesWhatIsLeft() {
        RoutingConfig config = TOP_2.normalized(true).scaledBy(8);

        assertThat(Chosen.of(config, 1, 3, 0, 0.5f).weights).containsExactly(6, 2);
        assertThat(Chosen.of(config, 0, 3, 0, 0).weights).containsExactly(8, 0);
        assertThat(Chosen.of(config, 0, 0, 0, 0).weights).containsExactly(0, 0);
    }

    @Test
    void leavesFurtherRanksWithoutExpertsToo() {
        Chosen chosen = Chosen.ranked(TOP_2, 4, 1, 0, 3, 2);

        assertThat(chosen.experts).containsExactly(2, 3, 0, -1);
        assertThat(chosen.weights).containsExactly(3, 2, 1, 0);
    }

    /** A bias or a masked group can rank an expert of weight 0 before others. */
    @Test
    void movesTheOthersUpWhereAnExpertOfWeightZeroIsRankedFirst() {
        Chosen biased = Chosen.of(TOP_2.biased(List.of(9f, 0f, 0f, 0f)), 0, 2, 3, 0);
        assertThat(biased.experts).containsExactly(2, -1);
        assertThat(biased.weights).containsExactly(3, 0);
        assertThat(biased.isInvalid).isFalse();

        GroupLimit limit =
                new GroupLimit(2, 1, GroupLimit.GroupScore.MAX, GroupLimit.GroupMask.ZERO);
        Chosen grouped = Chosen.of(TOP_2.limitedTo(limit), 0, 5, 3, 4);
        assertThat(grouped.experts).containsExactly(1, -1);
        assertThat(grouped.weights).containsExactly(5, 0);
        assertThat(grouped.isInvalid).isFalse();
    }
}
