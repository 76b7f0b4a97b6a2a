// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NextExpertTest {

    private static final int WINDOWS = 500;

    /** Tokens 0 and 1 want expert 0 and then 1; token 2 wants expert 1 and then 2. */
    private static final int[] PREFERENCES = {0, 1, 2, 0, 1, 2, 1, 2, 0};

    private static final float[] SCORES = {0.6f, 0.3f, 0.1f, 0.5f, 0.4f, 0.1f, 0.7f, 0.2f, 0.1f};

    private static NextExpert byRounds(
            RandomWindow window, int rounds, int capacity, AdmissionOrder order) {
        return NextExpert.byRounds(
                window.preferences(),
                window.scores(),
                window.numExperts(),
                window.topK(),
                rounds,
                capacity,
                order);
    }

    @Test
    void secondPreferenceOfOneNeverDisplacesTheFirstOfAnother() {
        NextExpert placed =
                NextExpert.byRounds(PREFERENCES, SCORES, 3, 1, 2, 1, AdmissionOrder.POSITION);

        assertThat(placed.expert()).containsExactly(0, 2, 1);
        assertThat(placed.assignedRank()).containsExactly(0, 2, 0);
        assertThat(placed.slot()).containsExactly(0, 0, 0);
        assertThat(placed.requestedPerExpert()).containsExactly(2, 2, 1);
        assertThat(placed.tokensPerExpert()).containsExactly(1, 1, 1);
        assertThat(placed.weights(SCORES, 1)).containsExactly(0.6f, 0.1f, 0.7f);
    }

    @Test
    void tokenByTokenItDoes() {
        NextExpert placed = NextExpert.sequential(PREFERENCES, SCORES, 3, 1, 2, 1);

        assertThat(placed.expert()).containsExactly(0, 1, 2);
        assertThat(placed.assignedRank()).containsExactly(0, 1, 1);
        assertThat(placed.weights(SCORES, 1)).containsExactly(0.6f, 0.4f, 0.2f);
    }

    @Test
    void whatIsNotAdmittedInTheLastRoundOverflows() {
        NextExpert placed =
                NextExpert.byRounds(PREFERENCES, SCORES, 3, 1, 1, 1, AdmissionOrder.POSITION);

        assertThat(placed.expert()).containsExactly(0, -1, 1);
        assertThat(placed.slot()).containsExactly(0, -1, 0);
        assertThat(placed.weights(SCORES, 1)).containsExactly(0.6f, 0, 0.7f);
    }

    @Test
    void tokenPriorityGoesByTheFirstScoreInLaterRoundsToo() {
        // Both lose expert 0 to token 0 and meet at expert 1, which token 1 scores higher.
        int[] preferences = {0, 1, 2, 0, 1, 2, 0, 1, 2};
        float[] scores = {0.9f, 0.06f, 0.04f, 0.5f, 0.4f, 0.1f, 0.6f, 0.3f, 0.1f};

        assertThat(
                        NextExpert.byRounds(
                                        preferences,
                                        scores,
                                        3,
                                        1,
                                        1,
                                        1,
                                        AdmissionOrder.TOKEN_PRIORITY)
                                .expert())
                .containsExactly(0, -1, 1);
        assertThat(
                        NextExpert.byRounds(
                                        preferences, scores, 3, 1, 1, 1, AdmissionOrder.GATE_SCORE)
                                .expert())
                .containsExactly(0, 1, -1);
    }

    @ParameterizedTest
    @EnumSource
    void withoutRoundsItIsPlainDropping(AdmissionOrder order) {
        Random random = new Random(4);
        for (int i = 0; i < WINDOWS; i++) {
            RandomWindow window = RandomWindow.of(random);
            int capacity = random.nextInt(8);
            WindowAdmission plain =
                    WindowAdmission.of(
                            window.topKIndices(),
                            window.topKScores(),
                            window.numExperts(),
                            window.topK(),
                            capacity,
                            order);
            NextExpert placed = byRounds(window, 0, capacity, order);

            assertThat(placed.slot()).isEqualTo(plain.slot());
            assertThat(placed.requestedPerExpert()).isEqualTo(plain.requestedPerExpert());
            assertThat(placed.tokensPerExpert()).isEqualTo(plain.tokensPerExpert());
        }
    }

    @ParameterizedTest
    @EnumSource
    void keepsEveryLawOfTheRounds(AdmissionOrder order) {
        Random random = new Random(5);
        int rerouted = 0;
        for (int i = 0; i < WINDOWS; i++) {
            RandomWindow window = RandomWindow.of(random);
            int n = window.numExperts();
            int k = window.topK();
            int rounds = random.nextInt(n);
            int capacity = random.nextInt(8);
            NextExpert placed = byRounds(window, rounds, capacity, order);

            int[] load = new int[n];
            int[] attempts = new int[n];
            for (int choice = 0; choice < placed.expert().length; choice++) {
                int rank = placed.assignedRank()[choice];
                boolean executed = rank >= 0;
                rerouted += rank >= k ? 1 : 0;
                int last = executed ? rank : Math.min(n - 1, choice % k + rounds * k);
                for (int tried = choice % k; tried <= last; tried += k) {
                    int expert = window.preferences()[choice / k * n + tried];
                    attempts[expert]++;
                    if (tried == rank) {
                        assertThat(placed.expert()[choice]).isEqualTo(expert);
                        load[expert]++;
                    } else {
                        // Overflowed in round tried/k: full with choices of this round or before.
                        assertThat(admittedBy(placed, expert, tried / k, k)).isEqualTo(capacity);
                    }
                }
            }
            assertThat(placed.tokensPerExpert()).isEqualTo(load);
            assertThat(placed.requestedPerExpert()).isEqualTo(attempts);
            assertThat(IntStream.of(load)).allMatch(tokens -> tokens <= capacity);
            assertNoTokenHasAnExpertTwice(placed, k);
        }
        assertThat(rerouted).isPositive();
    }

    private static long admittedBy(NextExpert placed, int expert, int round, int k) {
        return IntStream.range(0, placed.expert().length)
                .filter(c -> placed.expert()[c] == expert && placed.assignedRank()[c] / k <= round)
                .count();
    }

    private static void assertNoTokenHasAnExpertTwice(NextExpert placed, int k) {
        for (int first = 0; first < placed.expert().length; first += k) {
            int[] experts =
                    IntStream.of(Arrays.copyOfRange(placed.expert(), first, first + k))
                            .filter(expert -> expert >= 0)
                            .toArray();
            assertThat(experts).doesNotHaveDuplicates();
        }
    }

    @Test
    void leavesNoTokenBehindWhereTheCapacityIsEnoughForAll() {
        Random random = new Random(6);
        for (int i = 0; i < WINDOWS; i++) {
            RandomWindow window = RandomWindow.of(random);
            int n = window.numExperts();
            int capacity = (window.tokens() + n - 1) / n;
            int[] preferences = window.preferences();

            assertThat(
                            NextExpert.byRounds(
                                            preferences,
                                            window.scores(),
                                            n,
                                            1,
                                            n - 1,
                                            capacity,
                                            AdmissionOrder.POSITION)
                                    .assignedRank())
                    .doesNotContain(-1);
            assertThat(
                            NextExpert.sequential(
                                            preferences, window.scores(), n, 1, n - 1, capacity)
                                    .assignedRank())
                    .doesNotContain(-1);
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "POSITION")
    void decidesTheSameInWhateverOrderTokensStand(AdmissionOrder order) {
        Random random = new Random(7);
        for (int i = 0; i < WINDOWS; i++) {
            RandomWindow window = RandomWindow.of(random);
            int k = window.topK();
            int rounds = random.nextInt(window.numExperts());
            int capacity = random.nextInt(8);
            List<Integer> places = RandomWindow.permutation(window.tokens(), random);
            int[] straight = byRounds(window, rounds, capacity, order).assignedRank();
            int[] arranged =
                    byRounds(window.arranged(places), rounds, capacity, order).assignedRank();

            assertThat(arranged)
                    .isEqualTo(
                            IntStream.range(0, straight.length)
                                    .map(c -> straight[places.get(c / k) * k + c % k])
                                    .toArray());
        }
    }

    @Test
    void refusesShapesThatDoNotFit() {
        assertThatThrownBy(
                        () ->
                                NextExpert.byRounds(
                                        PREFERENCES, SCORES, 3, 4, 1, 1, AdmissionOrder.POSITION))
                .hasMessageContaining("k is 4, overflow.rounds is 1; allowed: k from 1 to N");
        assertThatThrownBy(() -> NextExpert.sequential(PREFERENCES, new float[8], 3, 1, 1, 1))
                .hasMessageContaining("preferences has 9 entries, scores 8; allowed:");
    }
}
