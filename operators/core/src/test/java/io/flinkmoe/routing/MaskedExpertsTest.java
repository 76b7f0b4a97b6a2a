// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.routing.GroupLimit.GroupMask;
import io.flinkmoe.routing.GroupLimit.GroupScore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Experts that a router logit of −∞ masks, and logits that let no token be routed. */
class MaskedExpertsTest {

    private static final float MASK = Float.NEGATIVE_INFINITY;
    private static final int TOKENS = 40;

    private record Routed(int[] experts, float[] weights) {}

    private static Routed route(RoutingConfig config, int ranks, float... logits) {
        int tokens = logits.length / config.numExperts();
        Routed routed = new Routed(new int[tokens * ranks], new float[tokens * ranks]);
        new TopKRouter(config, ranks).route(logits, tokens, routed.experts, routed.weights);
        return routed;
    }

    @Test
    void areNotChosenAndLeaveTheOthersTheirShares() {
        RoutingConfig softmax = RoutingConfig.softmax(4, 2);
        float ln3 = (float) Math.log(3);

        Routed routed = route(softmax, 2, 0, MASK, ln3, MASK);
        assertThat(routed.experts).containsExactly(2, 0);
        assertThat(routed.weights).containsExactly(0.75f, 0.25f);

        routed = route(softmax.normalized(true), 2, 0, MASK, ln3, -900);
        assertThat(routed.experts).containsExactly(2, 0);
        assertThat(routed.weights).containsExactly(0.75f, 0.25f);
    }

    /** A sigmoid of −∞ is 0, which a bias lifts above all others. */
    @Test
    void areNotChosenWhateverTheBias() {
        List<Float> bias = List.of(-5f, 7f, -5f, Float.MAX_VALUE);
        Routed routed = route(RoutingConfig.sigmoid(4, 2).biased(bias), 2, 0, MASK, 0, MASK);
        assertThat(routed.experts).containsExactly(0, 2);
        assertThat(routed.weights).containsExactly(0.5f, 0.5f);

        routed = route(RoutingConfig.softmax(4, 2).biased(bias), 2, 0, MASK, 0, MASK);
        assertThat(routed.experts).containsExactly(0, 2);
        assertThat(routed.weights).containsExactly(0.5f, 0.5f);
    }

    /** Scores outside the kept groups are 0 with this mask, those inside are negative. */
    @Test
    void areNotChosenAmongMaskedGroups() {
        RoutingConfig config =
                RoutingConfig.sigmoid(6, 2)
                        .biased(List.of(-2f, -2f, -2f, -2f, -2f, -2f))
                        .limitedTo(new GroupLimit(3, 1, GroupScore.MAX, GroupMask.ZERO));
        Routed routed = route(config, 2, 3, 2, MASK, 0, MASK, MASK);
        // Group 0 is kept, with negative scores; of the others only expert 3 is not masked.
        assertThat(routed.experts).containsExactly(3, 0);
    }

    @Test
    void doNotMakeAGroupWorseThanOneThatIsMaskedEntirely() {
        RoutingConfig config =
                RoutingConfig.sigmoid(6, 2)
                        .limitedTo(new GroupLimit(3, 2, GroupScore.TOP2_SUM, GroupMask.NEG_INF));
        Routed routed = route(config, 2, MASK, MASK, MASK, 1, 2, MASK);
        assertThat(routed.experts).containsExactly(4, 3);
    }

    @Test
    void letFurtherGroupsInWhereTheBestOnesHaveTooFewExperts() {
        RoutingConfig config =
                RoutingConfig.sigmoid(6, 2)
                        .limitedTo(new GroupLimit(3, 1, GroupScore.MAX, GroupMask.NEG_INF));
        Routed routed = route(config, 2, 0, 1, 5, MASK, 3, 2);
        // Group 1 is the best, but has one expert; group 2 is the next best.
        assertThat(routed.experts).containsExactly(2, 4);
    }

    @Test
    void leaveRanksWithoutAnExpert() {
        RoutingConfig config = RoutingConfig.mixtral(5, 2);
        Routed routed = route(config, 5, 1, MASK, 1, MASK, 0);
        assertThat(routed.experts).containsExactly(0, 2, 4, -1, -1);
        assertThat(routed.weights[0]).isEqualTo(0.5f);
        assertThat(routed.weights).endsWith(0, 0);
    }

    @Test
    void aTokenIsNotRoutedWithLessThanKFiniteLogitsOrWithAnotherInvalidOne() {
        float infinity = Float.POSITIVE_INFINITY;
        for (RoutingConfig config : configs(4, 2)) {
            for (float[] logits :
                    new float[][] {
                        {1, MASK, MASK, MASK},
                        {MASK, MASK, MASK, MASK},
                        {1, 2, 3, Float.NaN},
                        {Float.NaN, MASK, 2, 1},
                        {1, 2, infinity, 3},
                        {infinity, infinity, infinity, infinity},
                    }) {
                float[] rows = {0, 1, 2, 3, 0, 0, 0, 0, 3, 2, 1, 0};
                System.arraycopy(logits, 0, rows, 4, 4);
                Routed routed = route(config, 2, rows);
                String what = Arrays.toString(logits) + " of " + config;
                assertThat(Arrays.copyOfRange(routed.experts, 2, 4)).as(what).containsOnly(-1);
                assertThat(Arrays.copyOfRange(routed.weights, 2, 4)).as(what).containsOnly(0);
                assertThat(routed.experts[0]).as(what).isEqualTo(3);
                assertThat(routed.experts[4]).as(what).isZero();
            }
        }
    }

    @Test
    void aGumbelDrawNeverChoosesOne() {
        RoutingConfig config =
                RoutingConfig.softmax(4, 2)
                        .withNoise(new RouterNoise(RouterNoise.Kind.GUMBEL_SECOND, 0));
        String[] streams = new String[TOKENS];
        Arrays.fill(streams, "s");
        long[] positions = IntStream.range(0, TOKENS).asLongStream().toArray();
        float[] logits = new float[TOKENS * 4];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = i % 4 == 0 ? MASK : i % 4;
        }
        int[] experts = new int[TOKENS * 2];
        new TopKRouter(config)
                .route(
                        logits,
                        TOKENS,
                        experts,
                        new float[TOKENS * 2],
                        SeededNoise.of(streams, positions, 0));
        assertThat(experts).doesNotContain(0, -1);
        assertThat(experts).contains(1, 2, 3);
    }

    /** Without groups, a masked expert is one that does not exist. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void areAsExpertsThatDoNotExist(int seed) {
        Random random = new Random(seed);
        for (int run = 0; run < 200; run++) {
            int n = 2 + random.nextInt(40);
            int k = 1 + random.nextInt(Math.min(n, 6));
            int ranks = k + random.nextInt(n - k + 1);
            float[] logits = logits(random, n, 0.4);
            for (RoutingConfig config : configs(n, k)) {
                Routed found = route(config, ranks, logits);
                for (int token = 0; token < TOKENS; token++) {
                    float[] row = Arrays.copyOfRange(logits, token * n, token * n + n);
                    int[] left =
                            IntStream.range(0, n).filter(expert -> row[expert] != MASK).toArray();
                    int[] experts = new int[ranks];
                    float[] weights = new float[ranks];
                    Arrays.fill(experts, -1);
                    if (left.length >= k) {
                        routeTheRest(config, row, left, experts, weights);
                    }
                    check(config, row, ranks, token, found, experts, weights);
                }
            }
        }
    }

    private static void check(
            RoutingConfig config,
            float[] row,
            int ranks,
            int token,
            Routed found,
            int[] experts,
            float[] weights) {
        int from = token * ranks;
        String what = "%s, ranks %d, %s".formatted(config, ranks, Arrays.toString(row));
        assertThat(Arrays.copyOfRange(found.experts, from, from + ranks))
                .as(what)
                .isEqualTo(experts);
        assertThat(Arrays.copyOfRange(found.weights, from, from + ranks))
                .as(what)
                .isEqualTo(weights);
    }

    private static void routeTheRest(
            RoutingConfig config, float[] row, int[] left, int[] experts, float[] weights) {
        int k = config.numExpertsPerTok();
        int ranks = Math.min(experts.length, left.length);
        float[] logits = new float[left.length];
        List<Float> bias = new ArrayList<>();
        for (int i = 0; i < left.length; i++) {
            logits[i] = row[left[i]];
            if (config.scoreCorrectionBias() != null) {
                bias.add(config.scoreCorrectionBias().get(left[i]));
            }
        }
        RoutingConfig smaller =
                new RoutingConfig(
                        left.length,
                        k,
                        config.scoringFunc(),
                        bias.isEmpty() ? null : bias,
                        null,
                        config.normTopKProb(),
                        config.normOrder(),
                        config.routedScalingFactor(),
                        null);
        Routed rest = route(smaller, ranks, logits);
        for (int rank = 0; rank < ranks; rank++) {
            experts[rank] = left[rest.experts[rank]];
            weights[rank] = rest.weights[rank];
        }
    }

    /** All forms without groups. */
    private static List<RoutingConfig> configs(int n, int k) {
        List<Float> bias = new ArrayList<>();
        for (int expert = 0; expert < n; expert++) {
            bias.add(0.01f * (expert * 7 % 5 - 2));
        }
        return List.of(
                RoutingConfig.softmax(n, k),
                RoutingConfig.mixtral(n, k),
                RoutingConfig.sigmoid(n, k),
                RoutingConfig.softmax(n, k).normalizedBy(2).scaledBy(2.5f),
                RoutingConfig.softmax(n, k).biased(bias),
                RoutingConfig.sigmoid(n, k).biased(bias).normalized(true).scaledBy(2.5f));
    }

    /** With groups: rules in words, over every share of masked experts. */
    @ParameterizedTest
    @ValueSource(doubles = {0.05, 0.3, 0.6, 0.9})
    void areNotInGroups(double masked) {
        Random random = new Random(9);
        for (int[] shape : new int[][] {{4, 4}, {8, 2}, {2, 8}, {3, 5}}) {
            int n = shape[0] * shape[1];
            for (GroupScore score : GroupScore.values()) {
                for (GroupMask mask : GroupMask.values()) {
                    for (int kept = 1; kept <= shape[0]; kept++) {
                        GroupLimit limit = new GroupLimit(shape[0], kept, score, mask);
                        int k = 1 + random.nextInt(Math.min(4, kept * shape[1]));
                        RoutingConfig config =
                                (random.nextBoolean()
                                                ? RoutingConfig.sigmoid(n, k)
                                                : RoutingConfig.softmax(n, k))
                                        .limitedTo(limit);
                        checkGroups(config, logits(random, n, masked));
                    }
                }
            }
        }
    }

    private static void checkGroups(RoutingConfig config, float[] logits) {
        int n = config.numExperts();
        int k = config.numExpertsPerTok();
        int ranks = config.selectable();
        Routed found = route(config, ranks, logits);
        float[] scores = Scores.of(config.scoringFunc(), logits, n);
        for (int token = 0; token < TOKENS; token++) {
            float[] row = Arrays.copyOfRange(logits, token * n, token * n + n);
            int[] experts = Arrays.copyOfRange(found.experts, token * ranks, (token + 1) * ranks);
            int[] expected =
                    inGroups(config, row, Arrays.copyOfRange(scores, token * n, token * n + n));
            assertThat(experts)
                    .as("%s, k %d, %s", config.groupLimit(), k, Arrays.toString(row))
                    .isEqualTo(expected.length < k ? none(ranks) : padded(expected, ranks));
        }
    }

    private static int[] inGroups(RoutingConfig config, float[] row, float[] scores) {
        GroupLimit limit = config.groupLimit();
        int size = row.length / limit.nGroup();
        List<Integer> groups = new ArrayList<>();
        float[] groupScores = new float[limit.nGroup()];
        int[] counts = new int[limit.nGroup()];
        for (int group = 0; group < limit.nGroup(); group++) {
            List<Float> own = new ArrayList<>();
            for (int expert = group * size; expert < (group + 1) * size; expert++) {
                if (row[expert] != MASK) {
                    own.add(scores[expert]);
                }
            }
            own.sort(Comparator.reverseOrder());
            counts[group] = own.size();
            if (!own.isEmpty()) {
                boolean two = limit.groupScore() == GroupScore.TOP2_SUM && own.size() > 1;
                groupScores[group] = two ? own.get(0) + own.get(1) : own.get(0);
                groups.add(group);
            }
        }
        groups.sort(Comparator.comparingDouble(group -> -groupScores[group]));
        int kept = Math.min(limit.topkGroup(), groups.size());
        while (limit.mask() == GroupMask.NEG_INF
                && kept < groups.size()
                && groups.subList(0, kept).stream().mapToInt(group -> counts[group]).sum()
                        < config.numExpertsPerTok()) {
            kept++;
        }
        List<Integer> keptGroups = groups.subList(0, kept);
        boolean zero = limit.mask() == GroupMask.ZERO;
        return IntStream.range(0, row.length)
                .filter(expert -> row[expert] != MASK)
                .filter(expert -> zero || keptGroups.contains(expert / size))
                .boxed()
                .sorted(
                        Comparator.comparingDouble(
                                expert ->
                                        keptGroups.contains(expert / size)
                                                ? 0.0 - scores[expert]
                                                : 0.0))
                .mapToInt(expert -> expert)
                .toArray();
    }

    private static int[] padded(int[] experts, int ranks) {
        int[] padded = none(ranks);
        System.arraycopy(experts, 0, padded, 0, Math.min(ranks, experts.length));
        return padded;
    }

    private static int[] none(int ranks) {
        int[] none = new int[ranks];
        Arrays.fill(none, -1);
        return none;
    }

    /** Rows of few values or of many, most with some that are masked. */
    private static float[] logits(Random random, int n, double masked) {
        float[] logits = new float[TOKENS * n];
        for (int i = 0; i < logits.length; i++) {
            boolean coarse = i / n % 2 == 1;
            logits[i] = coarse ? random.nextInt(4) / 2f : (float) (3 * random.nextGaussian());
            if (i / n % 5 > 0 && random.nextDouble() < masked) {
                logits[i] = MASK;
            }
        }
        return logits;
    }
}
