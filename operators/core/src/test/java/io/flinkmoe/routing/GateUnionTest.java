// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class GateUnionTest {

    @Test
    void ordersByTheLowestRankThenByTheGate() {
        GateUnion union = new GateUnion(9, new int[] {2, 3});
        int[] experts = new int[union.size()];
        int[] ranks = new int[union.size()];
        short[] places = new short[union.sum()];

        union.merge(new int[][] {{7, 4}, {4, 8, 7}}, 1, experts, ranks, places);

        assertThat(union.size()).isEqualTo(5);
        assertThat(union.sum()).isEqualTo(5);
        assertThat(experts).containsExactly(7, 4, 8, -1, -1);
        assertThat(Arrays.copyOf(ranks, 3)).containsExactly(0, 0, 1);
        assertThat(places).containsExactly((short) 0, (short) 1, (short) 1, (short) 2, (short) 0);
    }

    @Test
    void aRankWithoutAnExpertHasNoPlace() {
        GateUnion union = new GateUnion(3, new int[] {2, 1});
        int[] experts = new int[2 * union.size()];
        short[] places = new short[2 * union.sum()];

        union.merge(
                new int[][] {{2, -1, -1, -1}, {2, -1}},
                2,
                experts,
                new int[2 * union.size()],
                places);

        assertThat(experts).containsExactly(2, -1, -1, -1, -1, -1);
        assertThat(places)
                .containsExactly(
                        (short) 0, (short) -1, (short) 0, (short) -1, (short) -1, (short) -1);
    }

    @Test
    void hasNoMorePlacesThanThereAreExperts() {
        GateUnion union = new GateUnion(2, new int[] {2, 2, 1});
        int[] experts = new int[union.size()];
        int[] ranks = new int[union.size()];
        short[] places = new short[union.sum()];

        union.merge(new int[][] {{1, 0}, {0, 1}, {1}}, 1, experts, ranks, places);

        assertThat(union.size()).isEqualTo(2);
        assertThat(experts).containsExactly(1, 0);
        assertThat(ranks).containsExactly(0, 0);
        assertThat(places).containsExactly((short) 0, (short) 1, (short) 1, (short) 0, (short) 0);
    }

    /** A call must not see the tokens of the one before. */
    @Test
    void givesWhatAPlainSearchGivesInEveryCall() {
        Random random = new Random(1);
        for (int run = 0; run < 200; run++) {
            int n = 1 + random.nextInt(12);
            int[] sizes = new int[2 + random.nextInt(3)];
            Arrays.setAll(sizes, gate -> 1 + random.nextInt(n));
            GateUnion union = new GateUnion(n, sizes);
            for (int call = 0; call < 2; call++) {
                check(union, n, sizes, 1 + random.nextInt(4), random);
            }
        }
    }

    private static void check(GateUnion union, int n, int[] sizes, int tokens, Random random) {
        int[][] chosen = new int[sizes.length][];
        for (int gate = 0; gate < sizes.length; gate++) {
            chosen[gate] = choices(n, sizes[gate], tokens, random);
        }
        int[] experts = new int[tokens * union.size()];
        int[] ranks = new int[tokens * union.size()];
        short[] places = new short[tokens * union.sum()];
        union.merge(chosen, tokens, experts, ranks, places);
        for (int token = 0; token < tokens; token++) {
            List<Integer> expected = union(chosen, sizes, token);
            for (int place = 0; place < union.size(); place++) {
                int at = token * union.size() + place;
                boolean exists = place < expected.size();
                assertThat(experts[at]).isEqualTo(exists ? expected.get(place) : -1);
                if (exists) {
                    assertThat(ranks[at]).isEqualTo(lowestRank(chosen, sizes, token, experts[at]));
                }
            }
            int at = token * union.sum();
            for (int gate = 0; gate < sizes.length; gate++) {
                for (int rank = 0; rank < sizes[gate]; rank++) {
                    int expert = chosen[gate][token * sizes[gate] + rank];
                    assertThat((int) places[at++]).isEqualTo(expected.indexOf(expert));
                }
            }
        }
    }

    /** Some experts in random order, then -1. */
    private static int[] choices(int n, int size, int tokens, Random random) {
        int[] choices = new int[tokens * size];
        for (int token = 0; token < tokens; token++) {
            List<Integer> experts = new ArrayList<>(IntStream.range(0, n).boxed().toList());
            Collections.shuffle(experts, random);
            int count = random.nextInt(size + 1);
            for (int rank = 0; rank < size; rank++) {
                choices[token * size + rank] = rank < count ? experts.get(rank) : -1;
            }
        }
        return choices;
    }

    private static List<Integer> union(int[][] chosen, int[] sizes, int token) {
        List<Integer> union = new ArrayList<>();
        for (int rank = 0; rank < Arrays.stream(sizes).max().orElseThrow(); rank++) {
            for (int gate = 0; gate < sizes.length; gate++) {
                int expert = rank < sizes[gate] ? chosen[gate][token * sizes[gate] + rank] : -1;
                if (expert >= 0 && !union.contains(expert)) {
                    union.add(expert);
                }
            }
        }
        return union;
    }

    private static int lowestRank(int[][] chosen, int[] sizes, int token, int expert) {
        int lowest = Integer.MAX_VALUE;
        for (int gate = 0; gate < sizes.length; gate++) {
            for (int rank = 0; rank < sizes[gate]; rank++) {
                if (chosen[gate][token * sizes[gate] + rank] == expert) {
                    lowest = Math.min(lowest, rank);
                }
            }
        }
        return lowest;
    }
}
