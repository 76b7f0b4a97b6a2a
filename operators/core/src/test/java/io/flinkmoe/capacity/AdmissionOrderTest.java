// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class AdmissionOrderTest {

    /** All that the rule compares is equal; each is before the next by one more field. */
    private static final Candidate[] EQUAL_SCORES = {
        candidate(1, "b", 9, 9, 9),
        candidate(2, "a", 9, 9, 9),
        candidate(2, "b", 1, 9, 9),
        candidate(2, "b", 2, 1, 9),
        candidate(2, "b", 2, 2, 1),
        candidate(2, "b", 2, 2, 3),
    };

    private static Candidate candidate(
            long timestamp, String stream, long position, long batch, int choice) {
        return new Candidate(0, 1, 0.5f, 0.5f, timestamp, stream, position, batch, choice);
    }

    private static Candidate scored(int rank, float topScore, float score) {
        return new Candidate(0, rank, topScore, score, 0, "a", 0, 0, 0);
    }

    @ParameterizedTest
    @EnumSource
    void ordersEqualScoresByTimestampStreamPositionBatchAndChoice(AdmissionOrder order) {
        List<Candidate> shuffled = new ArrayList<>(Arrays.asList(EQUAL_SCORES));
        for (int run = 0; run < 20; run++) {
            Collections.shuffle(shuffled, new Random(run));
            shuffled.sort(order);
            assertThat(shuffled).containsExactly(EQUAL_SCORES);
        }
    }

    @Test
    void comparesScoresOrRanksBeforeTheToken() {
        Candidate first = scored(0, 0.3f, 0.3f);
        Candidate betterFirst = scored(0, 0.4f, 0.4f);
        Candidate second = scored(1, 0.9f, 0.5f);

        assertThat(AdmissionOrder.POSITION.compare(first, betterFirst)).isZero();
        assertThat(AdmissionOrder.POSITION.compare(first, second)).isNegative();
        assertThat(AdmissionOrder.TOKEN_PRIORITY.compare(first, betterFirst)).isPositive();
        assertThat(AdmissionOrder.TOKEN_PRIORITY.compare(first, second)).isNegative();
        assertThat(AdmissionOrder.GATE_SCORE.compare(first, second)).isPositive();
        assertThat(AdmissionOrder.RANDOM.compare(first, second)).isPositive();
        assertThat(AdmissionOrder.GATE_SCORE.compare(scored(0, 0, 0f), scored(0, 0, -0f))).isZero();
    }

    @Test
    void leavesTheRestOfTheCapacityToTheNextRound() {
        ExpertAdmission all =
                ExpertAdmission.inOrder(EQUAL_SCORES.clone(), AdmissionOrder.POSITION, 8);
        assertThat(all.admitted()).isEqualTo(6);
        assertThat(all.remaining()).isEqualTo(2);

        Candidate[] reversed = EQUAL_SCORES.clone();
        Collections.reverse(Arrays.asList(reversed));
        ExpertAdmission some = ExpertAdmission.inOrder(reversed, AdmissionOrder.POSITION, 2);
        assertThat(some.candidates()).startsWith(EQUAL_SCORES[0], EQUAL_SCORES[1]);
        assertThat(some.admitted()).isEqualTo(2);
        assertThat(some.remaining()).isZero();
    }
}
