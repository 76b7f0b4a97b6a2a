// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WindowAdmissionTest {

    private static final int WINDOWS = 500;

    /** Three tokens of two choices; experts 0, 1, 2 are chosen three times, twice, once. */
    private static final int[] INDICES = {1, 0, 0, 1, 0, 2};

    private static final float[] SCORES = {0.6f, 0.4f, 0.5f, 0.3f, 0.7f, 0.1f};

    private static WindowAdmission admit(RandomWindow window, int capacity, AdmissionOrder order) {
        return WindowAdmission.of(
                window.topKIndices(),
                window.topKScores(),
                window.numExperts(),
                window.topK(),
                capacity,
                order);
    }

    @Test
    void admitsFirstChoicesBeforeSecondOnes() {
        WindowAdmission admission =
                WindowAdmission.of(INDICES, null, 3, 2, 1, AdmissionOrder.POSITION);

        assertThat(admission.executed()).containsExactly(true, false, true, false, false, true);
        assertThat(admission.slot()).containsExactly(0, -1, 0, -1, -1, 0);
        assertThat(admission.requestedPerExpert()).containsExactly(3, 2, 1);
        assertThat(admission.tokensPerExpert()).containsExactly(1, 1, 1);
    }

    @Test
    void admitsTheTokenWithTheHighestFirstScore() {
        WindowAdmission admission =
                WindowAdmission.of(INDICES, SCORES, 3, 2, 1, AdmissionOrder.TOKEN_PRIORITY);

        assertThat(admission.executed()).containsExactly(true, false, false, false, true, true);
    }

    @Test
    void keepsTheHighestScoresOfAnExpertInSlotsByPosition() {
        WindowAdmission admission =
                WindowAdmission.of(INDICES, SCORES, 3, 2, 2, AdmissionOrder.GATE_SCORE);

        assertThat(admission.executed()).containsExactly(true, false, true, true, true, true);
        assertThat(admission.slot()).containsExactly(0, -1, 0, 1, 1, 0);
    }

    @Test
    void admitsTheLowestTokenAmongEqualScores() {
        int[] indices = {0, 0, 0, 0};
        float[] scores = {0.5f, -0f, 0.5f, 0.5f};

        assertThat(
                        WindowAdmission.of(indices, scores, 1, 1, 2, AdmissionOrder.GATE_SCORE)
                                .executed())
                .containsExactly(true, false, true, false);
        assertThat(
                        WindowAdmission.of(indices, scores, 1, 1, 2, AdmissionOrder.TOKEN_PRIORITY)
                                .executed())
                .containsExactly(true, false, true, false);
        assertThat(
                        WindowAdmission.of(
                                        new int[2],
                                        new float[] {-0f, 0f},
                                        1,
                                        1,
                                        1,
                                        AdmissionOrder.GATE_SCORE)
                                .executed())
                .containsExactly(true, false);
    }

    @Test
    void countsNoChoiceThatTriesNoExpert() {
        WindowAdmission admission =
                WindowAdmission.of(
                        new int[] {-1, 0},
                        new float[] {0.9f, 0.1f},
                        1,
                        1,
                        1,
                        AdmissionOrder.GATE_SCORE);

        assertThat(admission.slot()).containsExactly(-1, 0);
        assertThat(admission.requestedPerExpert()).containsExactly(1);
    }

    @ParameterizedTest
    @EnumSource
    void fillsEachExpertUpToItsCapacityAndNoMore(AdmissionOrder order) {
        Random random = new Random(1);
        for (int i = 0; i < WINDOWS; i++) {
            RandomWindow window = RandomWindow.of(random);
            int capacity = random.nextInt(8);
            int[] indices = window.topKIndices();
            WindowAdmission admission = admit(window, capacity, order);

            for (int expert = 0; expert < window.numExperts(); expert++) {
                int e = expert;
                int requested = (int) IntStream.of(indices).filter(asked -> asked == e).count();
                int admitted = Math.min(requested, capacity);
                assertThat(admission.requestedPerExpert()[e]).isEqualTo(requested);
                assertThat(admission.tokensPerExpert()[e]).isEqualTo(admitted);
                assertThat(
                                IntStream.range(0, indices.length)
                                        .filter(c -> indices[c] == e && admission.executed()[c])
                                        .map(c -> admission.slot()[c])
                                        .sorted())
                        .containsExactlyElementsOf(IntStream.range(0, admitted).boxed().toList());
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void noChoiceOverflowsThatComesBeforeAnAdmittedOne(AdmissionOrder order) {
        Random random = new Random(2);
        int overflowed = 0;
        for (int i = 0; i < WINDOWS; i++) {
            RandomWindow window = RandomWindow.of(random);
            int[] indices = window.topKIndices();
            WindowAdmission admission = admit(window, 1 + random.nextInt(6), order);

            for (int out = 0; out < indices.length; out++) {
                for (int in = 0; in < indices.length; in++) {
                    if (indices[out] == indices[in]
                            && !admission.executed()[out]
                            && admission.executed()[in]) {
                        overflowed++;
                        assertThat(comesBefore(window, order, out, in)).isFalse();
                    }
                }
            }
        }
        assertThat(overflowed).isPositive();
    }

    private static boolean comesBefore(RandomWindow window, AdmissionOrder order, int a, int b) {
        int k = window.topK();
        float[] scores = window.topKScores();
        if (order.mixesRanks()) {
            return scores[a] > scores[b];
        }
        if (a % k != b % k) {
            return a % k < b % k;
        }
        return order == AdmissionOrder.POSITION ? a < b : scores[a - a % k] > scores[b - b % k];
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "POSITION")
    void decidesTheSameInWhateverOrderTokensStand(AdmissionOrder order) {
        Random random = new Random(3);
        for (int i = 0; i < WINDOWS; i++) {
            RandomWindow window = RandomWindow.of(random);
            int capacity = random.nextInt(8);
            int k = window.topK();
            List<Integer> places = RandomWindow.permutation(window.tokens(), random);
            boolean[] straight = admit(window, capacity, order).executed();
            boolean[] arranged = admit(window.arranged(places), capacity, order).executed();

            List<Boolean> expected = new ArrayList<>();
            List<Boolean> actual = new ArrayList<>();
            for (int choice = 0; choice < straight.length; choice++) {
                expected.add(straight[places.get(choice / k) * k + choice % k]);
                actual.add(arranged[choice]);
            }
            assertThat(actual).isEqualTo(expected);
        }
    }

    @Test
    void refusesShapesThatDoNotFit() {
        assertThatThrownBy(
                        () ->
                                WindowAdmission.of(
                                        new int[3], null, 2, 2, 1, AdmissionOrder.POSITION))
                .hasMessage("topKIndices has 3 entries; allowed: a multiple of k, which is 2");
        assertThatThrownBy(
                        () ->
                                WindowAdmission.of(
                                        new int[4],
                                        new float[3],
                                        2,
                                        2,
                                        1,
                                        AdmissionOrder.GATE_SCORE))
                .hasMessage("scores has 3 entries; allowed: as many as topKIndices, which has 4");
    }
}
