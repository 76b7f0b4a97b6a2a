// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TopKRouterTest {

    private static final int TOKENS = 5;

    @ParameterizedTest(name = "norm_topk_prob {0}")
    @ValueSource(booleans = {true, false})
    void choosesAndWeighsAsASortDoes(boolean normTopKProb) {
        Random random = new Random(1);
        for (int n = 1; n <= 300; n++) {
            checkAgainstOracle(random, n, 1, normTopKProb);
            checkAgainstOracle(random, n, 1 + random.nextInt(n), normTopKProb);
            checkAgainstOracle(random, n, n, normTopKProb);
        }
    }

    @Test
    void choosesTheSameForEveryTopKOfOneMatrix() {
        Random random = new Random(2);
        for (int n : new int[] {2, 8, 17, 64}) {
            for (int k = 1; k <= n; k++) {
                checkAgainstOracle(random, n, k, k % 2 == 0);
            }
        }
    }

    @Test
    void takesTheLowestExpertFirstAmongEqualLogits() {
        Routed routed = route(true, 3, 1, 5, 2, 5, 5, 2);
        assertThat(routed.experts).containsExactly(1, 3, 4);
        assertThat(routed.weights).containsExactly(1 / 3f, 1 / 3f, 1 / 3f);
    }

    @Test
    void takesTheFirstExpertsWhenAllLogitsAreEqual() {
        for (float value : new float[] {0, -7.5f, Float.MAX_VALUE, -Float.MAX_VALUE}) {
            Routed routed = route(false, 3, value, value, value, value);
            assertThat(routed.experts).as("logits of %s", value).containsExactly(0, 1, 2);
            assertThat(routed.weights).containsOnly(0.25f);
        }
    }

    @Test
    void doesNotTellNegativeZeroFromZero() {
        assertThat(route(true, 3, -0f, 0f, -0f).experts).containsExactly(0, 1, 2);
        assertThat(route(true, 3, 0f, -0f, 0f).experts).containsExactly(0, 1, 2);
    }

    @Test
    void ordersByLogitWhereScoresUnderflow() {
        // exp(-200) is 0 in float32; the order of the last two shows in the logits alone.
        Routed routed = route(true, 3, -201, 0, -200);
        assertThat(routed.experts).containsExactly(1, 2, 0);
        assertThat(routed.weights).containsExactly(1, 0, 0);
    }

    @Test
    void takesTheWidestLogitsThatAreFinite() {
        Routed routed = route(true, 2, -Float.MAX_VALUE, Float.MAX_VALUE);
        assertThat(routed.experts).containsExactly(1, 0);
        assertThat(routed.weights).containsExactly(1, 0);
    }

    @Test
    void givesASingleExpertTheWholeWeight() {
        for (boolean norm : new boolean[] {true, false}) {
            Routed routed = route(norm, 1, -123.25f);
            assertThat(routed.experts).containsExactly(0);
            assertThat(routed.weights).containsExactly(1);
        }
    }

    @Test
    void givesARowTheSameBitsAloneAndAmongOthers() {
        Random random = new Random(3);
        int n = 40;
        int k = 6;
        float[] logits = logits(random, n, 50);
        TopKRouter router = new TopKRouter(config(n, k, true));
        int[] experts = new int[50 * k];
        float[] weights = new float[50 * k];
        router.route(logits, 50, experts, weights);
        for (int token = 49; token >= 0; token--) {
            Routed alone = route(true, k, Arrays.copyOfRange(logits, token * n, token * n + n));
            assertThat(alone.experts)
                    .isEqualTo(Arrays.copyOfRange(experts, token * k, token * k + k));
            assertThat(alone.weights)
                    .isEqualTo(Arrays.copyOfRange(weights, token * k, token * k + k));
        }
    }

    @Test
    void leavesAloneWhatIsBeyondTheTokens() {
        int[] experts = {-7, -7, -7, -7};
        float[] weights = {-7, -7, -7, -7};
        new TopKRouter(config(2, 2, true)).route(new float[] {1, 2, 9, 9}, 1, experts, weights);
        assertThat(experts).containsExactly(1, 0, -7, -7);
        assertThat(weights).endsWith(-7, -7);
    }

    private static void checkAgainstOracle(Random random, int n, int k, boolean normTopKProb) {
        float[] logits = logits(random, n, TOKENS);
        int[] experts = new int[TOKENS * k];
        float[] weights = new float[TOKENS * k];
        new TopKRouter(config(n, k, normTopKProb)).route(logits, TOKENS, experts, weights);
        for (int token = 0; token < TOKENS; token++) {
            float[] row = Arrays.copyOfRange(logits, token * n, token * n + n);
            String what = "token %d of N=%d, k=%d".formatted(token, n, k);
            int[] expected = sorted(row, k);
            assertThat(Arrays.copyOfRange(experts, token * k, token * k + k))
                    .as(what)
                    .isEqualTo(expected);
            checkWeights(
                    what,
                    Arrays.copyOfRange(weights, token * k, token * k + k),
                    softmax(row, expected, normTopKProb));
            if (normTopKProb) {
                double sum = 0;
                for (int rank = 0; rank < k; rank++) {
                    sum += weights[token * k + rank];
                }
                // Each weight is rounded once, by half a unit of its last place at most.
                assertThat(sum).as("sum of %s", what).isCloseTo(1, within(0x1p-24));
            }
        }
    }

    private static void checkWeights(String what, float[] found, double[] expected) {
        for (int rank = 0; rank < found.length; rank++) {
            assertThat((double) found[rank])
                    .as("weight %d of %s", rank, what)
                    .isCloseTo(expected[rank], within((double) Math.ulp((float) expected[rank])));
        }
    }

    /** Experts by logit, descending; equal ones by number; -0 is 0. */
    private static int[] sorted(float[] logits, int k) {
        return IntStream.range(0, logits.length)
                .boxed()
                .sorted(
                        Comparator.<Integer>comparingDouble(e -> logits[e] + 0.0)
                                .reversed()
                                .thenComparing(e -> e))
                .mapToInt(e -> e)
                .limit(k)
                .toArray();
    }

    private static double[] softmax(float[] logits, int[] chosen, boolean overChosen) {
        double max = logits[chosen[0]];
        IntStream over = overChosen ? Arrays.stream(chosen) : IntStream.range(0, logits.length);
        double sum = over.mapToDouble(e -> Math.exp(logits[e] - max)).sum();
        return Arrays.stream(chosen).mapToDouble(e -> Math.exp(logits[e] - max) / sum).toArray();
    }

    /** Every other row is of few values, so that many tie. */
    private static float[] logits(Random random, int n, int tokens) {
        float[] logits = new float[tokens * n];
        for (int i = 0; i < logits.length; i++) {
            boolean coarse = i / n % 2 == 1;
            logits[i] = coarse ? random.nextInt(5) - 2 : (float) (4 * random.nextGaussian());
        }
        return logits;
    }

    private static RoutingConfig config(int n, int k, boolean normTopKProb) {
        return RoutingConfig.softmax(n, k).normalized(normTopKProb);
    }

    private static Routed route(boolean normTopKProb, int k, float... logits) {
        Routed routed = new Routed(new int[k], new float[k]);
        new TopKRouter(config(logits.length, k, normTopKProb))
                .route(logits, 1, routed.experts, routed.weights);
        return routed;
    }

    private record Routed(int[] experts, float[] weights) {}
}
