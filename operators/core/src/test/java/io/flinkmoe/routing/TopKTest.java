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
import org.junit.jupiter.params.provider.EnumSource;

class TopKTest {

    /** More than two blocks, and not a whole number of them. */
    private static final int TOKENS = 2 * TopK.BLOCK + 5;

    private enum Values {
        GAUSSIAN,
        /** Few values, of both signs and zeros: nearly all are equal to others. */
        TIES,
        /** As sigmoid's: many are 0 or 1. */
        SATURATED,
        NEGATIVE,
        WITH_INFINITIES;

        float draw(Random random) {
            return switch (this) {
                case GAUSSIAN -> (float) random.nextGaussian();
                case TIES -> (random.nextInt(5) - 2) * (random.nextBoolean() ? 0.5f : -0.5f);
                case SATURATED -> Math.min(1, Math.max(0, (float) random.nextGaussian() * 2));
                case NEGATIVE -> -Math.abs((float) random.nextGaussian());
                case WITH_INFINITIES ->
                        random.nextInt(3) > 0
                                ? (float) random.nextGaussian()
                                : random.nextBoolean()
                                        ? Float.NEGATIVE_INFINITY
                                        : random.nextInt(4) > 0
                                                ? -Float.MAX_VALUE
                                                : Float.POSITIVE_INFINITY;
            };
        }
    }

    @ParameterizedTest
    @EnumSource(Values.class)
    void choosesAsASortDoes(Values values) {
        Random random = new Random(values.ordinal());
        for (int n = 1; n <= 130; n++) {
            check(random, values, n, 1 + random.nextInt(n), null);
        }
        check(random, values, 256, 8, null);
    }

    @ParameterizedTest
    @EnumSource(Values.class)
    void choosesInGroupsAsASortDoes(Values values) {
        Random random = new Random(10 + values.ordinal());
        for (int[] shape : new int[][] {{8, 32}, {8, 20}, {4, 2}, {3, 7}, {16, 16}, {1, 12}}) {
            for (GroupScore score : GroupScore.values()) {
                for (GroupMask mask : GroupMask.values()) {
                    for (int kept = 1; kept <= shape[0]; kept++) {
                        int k = 1 + random.nextInt(Math.min(10, kept * shape[1]));
                        GroupLimit limit = new GroupLimit(shape[0], kept, score, mask);
                        check(random, values, shape[0] * shape[1], k, limit);
                    }
                }
            }
        }
    }

    @Test
    void choosesGroupsOfOneExpertEach() {
        GroupLimit limit = new GroupLimit(6, 3, GroupScore.MAX, GroupMask.NEG_INF);
        check(new Random(20), Values.GAUSSIAN, 6, 3, limit);
    }

    @Test
    void writesOnlyTheRowsOfItsTokens() {
        int[] indices = {-7, -7, -7};
        new TopK(3, 1, null).select(new float[] {9, 1, 3, 2}, 1, 1, indices, 1);
        assertThat(indices).containsExactly(-7, 1, -7);
    }

    private static void check(Random random, Values values, int n, int k, GroupLimit limit) {
        float[] scores = new float[TOKENS * n + 1];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = values.draw(random);
        }
        int[] indices = new int[TOKENS * k];
        new TopK(n, k, limit).select(scores, 1, TOKENS, indices, 0);
        for (int token = 0; token < TOKENS; token++) {
            float[] row = Arrays.copyOfRange(scores, 1 + token * n, 1 + token * n + n);
            assertThat(Arrays.copyOfRange(indices, token * k, token * k + k))
                    .as("N=%d, k=%d, %s, %s", n, k, limit, Arrays.toString(row))
                    .isEqualTo(sorted(masked(row, limit), k));
        }
    }

    private static float[] masked(float[] row, GroupLimit limit) {
        if (limit == null) {
            return row;
        }
        int size = row.length / limit.nGroup();
        List<Integer> groups = new ArrayList<>();
        float[] groupScores = new float[limit.nGroup()];
        for (int group = 0; group < limit.nGroup(); group++) {
            float[] own = Arrays.copyOfRange(row, group * size, (group + 1) * size);
            Arrays.sort(own);
            float best = own[size - 1];
            groupScores[group] = limit.groupScore() == GroupScore.MAX ? best : best + own[size - 2];
            groups.add(group);
        }
        groups.sort(Comparator.comparingDouble(group -> -(double) (groupScores[group] + 0f)));
        float[] masked = row.clone();
        for (int group : groups.subList(limit.topkGroup(), limit.nGroup())) {
            float mask = limit.mask() == GroupMask.ZERO ? 0 : Float.NaN;
            Arrays.fill(masked, group * size, (group + 1) * size, mask);
        }
        return masked;
    }

    /** By score, descending; equal ones by index; -0 is 0; NaN, the mark of what is masked, not. */
    private static int[] sorted(float[] scores, int k) {
        return IntStream.range(0, scores.length)
                .filter(i -> !Float.isNaN(scores[i]))
                .boxed()
                .sorted(Comparator.comparingDouble(i -> -(double) (scores[i] + 0f)))
                .limit(k)
                .mapToInt(i -> i)
                .toArray();
    }
}
