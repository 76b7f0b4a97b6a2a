// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A gate that selects every expert that is not masked. */
class DenseGateTest {

    private static final float MASK = Float.NEGATIVE_INFINITY;
    private static final RoutingConfig DENSE = RoutingConfig.dense(4);

    @Test
    void selectsEveryExpertInOrderOfRank() {
        Chosen chosen = Chosen.of(DENSE, 1, 0, 3, 1);

        assertThat(DENSE.k()).isEqualTo(4);
        assertThat(DENSE.isDense()).isTrue();
        assertThat(DENSE.numExpertsPerTok()).isNull();
        assertThat(chosen.experts).containsExactly(2, 0, 3, 1);
        assertClose(chosen.weights, softmax(0, 3, 1, 1, 0));
        assertThat(chosen.isInvalid).isFalse();
    }

    @Test
    void selectsThoseThatAreNotMasked() {
        Chosen chosen = Chosen.of(DENSE, 1, MASK, 3, MASK);

        assertThat(chosen.experts).containsExactly(2, 0, -1, -1);
        assertClose(chosen.weights, softmax(2, 3, 1));
        assertThat(chosen.isInvalid).isFalse();
    }

    @Test
    void givesASingleFiniteLogitTheWholeWeight() {
        for (boolean normalized : new boolean[] {false, true}) {
            Chosen chosen = Chosen.of(DENSE.normalized(normalized), MASK, MASK, MASK, -7);
            assertThat(chosen.experts).containsExactly(3, -1, -1, -1);
            assertThat(chosen.weights).containsExactly(1, 0, 0, 0);
            assertThat(chosen.isInvalid).isFalse();
        }
    }

    @Test
    void cannotRouteATokenWithoutAFiniteLogit() {
        Chosen chosen = Chosen.of(DENSE, MASK, MASK, MASK, MASK);

        assertThat(chosen.experts).containsOnly(-1);
        assertThat(chosen.weights).containsOnly(0);
        assertThat(chosen.isInvalid).isTrue();
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
    void cannotRouteATokenWithAnInvalidLogit(float invalid) {
        Chosen chosen = Chosen.of(DENSE, 1, invalid, MASK, 2);

        assertThat(chosen.experts).containsOnly(-1);
        assertThat(chosen.weights).containsOnly(0);
        assertThat(chosen.isInvalid).isTrue();
    }

    @Test
    void aGateThatIsNotDenseStillNeedsKFiniteLogits() {
        assertThat(Chosen.of(RoutingConfig.softmax(4, 4), 1, MASK, 3, 2).isInvalid).isTrue();
        assertThat(Chosen.of(RoutingConfig.softmax(4, 3), 1, MASK, 3, 2).isInvalid).isFalse();
    }

    /** The norm is that of the experts that are left. */
    @Test
    void dividesByTheNormOfThoseThatAreNotMasked() {
        assertClose(Chosen.of(DENSE.normalized(true), 1, MASK, 3, MASK).weights, softmax(2, 3, 1));
        double share = 1 / (1 + Math.exp(-2));
        double norm = Math.hypot(share, 1 - share);
        assertClose(
                Chosen.of(DENSE.normalizedBy(2), 1, MASK, 3, MASK).weights,
                share / norm,
                (1 - share) / norm,
                0,
                0);
        double one = 1 / (1 + Math.exp(-1));
        double three = 1 / (1 + Math.exp(-3));
        assertClose(
                Chosen.of(sigmoid(true), 1, MASK, 3, MASK).weights,
                three / (one + three),
                one / (one + three),
                0,
                0);
        assertClose(Chosen.of(sigmoid(false), 1, MASK, 3, MASK).weights, three, one, 0, 0);
    }

    @Test
    void aMaskedTokenGetsTheSameBitsAmongOthers() {
        TopKRouter router = new TopKRouter(DENSE);
        float[] logits = {1, 2, 3, 4, 1, MASK, 3, MASK, MASK, MASK, MASK, MASK, 4, 3, 2, 1};
        int[] experts = new int[16];
        float[] weights = new float[16];

        router.route(logits, 4, experts, weights);

        assertThat(experts).containsExactly(3, 2, 1, 0, 2, 0, -1, -1, -1, -1, -1, -1, 0, 1, 2, 3);
        float[] alone = Chosen.of(DENSE, 1, MASK, 3, MASK).weights;
        assertThat(weights).containsSequence(alone);
        assertThat(router.isInvalid(logits, 1, experts)).isFalse();
        assertThat(router.isInvalid(logits, 2, experts)).isTrue();
        assertThat(router.isInvalid(logits, 3, experts)).isFalse();
    }

    @Test
    void refusesWhatChangesTheSelection() {
        String end =
                " is set, but num_experts_per_tok is missing, so every expert is selected;"
                        + " remove %s, or set num_experts_per_tok";
        assertThatIllegalArgumentException()
                .isThrownBy(() -> DENSE.biased(Collections.nCopies(4, 0f)))
                .withMessage("e_score_correction_bias" + end, "e_score_correction_bias");
        GroupLimit limit =
                new GroupLimit(2, 1, GroupLimit.GroupScore.MAX, GroupLimit.GroupMask.NEG_INF);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> DENSE.limitedTo(limit))
                .withMessage("group_limit" + end, "group_limit");
        for (RouterNoise.Kind kind :
                List.of(RouterNoise.Kind.GUMBEL_SECOND, RouterNoise.Kind.RANDOM_SECOND)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> DENSE.withNoise(new RouterNoise(kind, 0.5f)))
                    .withMessage("noise" + end, "noise");
        }
    }

    private static RoutingConfig sigmoid(boolean normalized) {
        return new RoutingConfig(
                4, null, ScoringFunc.SIGMOID, null, null, normalized, null, null, null);
    }

    /** The softmax of some logits, then zeros. */
    private static double[] softmax(int masked, double... logits) {
        double sum = 0;
        double[] shares = new double[logits.length + masked];
        for (double logit : logits) {
            sum += Math.exp(logit);
        }
        for (int i = 0; i < logits.length; i++) {
            shares[i] = Math.exp(logits[i]) / sum;
        }
        return shares;
    }

    private static void assertClose(float[] found, double... expected) {
        assertThat(found).hasSameSizeAs(expected);
        for (int i = 0; i < found.length; i++) {
            assertThat((double) found[i]).as("weight %d", i).isCloseTo(expected[i], within(1e-7));
        }
    }
}
