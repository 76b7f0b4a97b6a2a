// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class CapacityTest {

    private static final TumblingWindows MINUTE = new TumblingWindows(60_000);

    @Test
    void admitsOnArrivalUntilSoManyAreAdmitted() {
        FirstCome two = FirstCome.of(MINUTE, 2);
        WindowCounts counts = WindowCounts.EMPTY;
        assertThat(two.remainingOnArrival(counts)).isEqualTo(2);
        counts = counts.plusAdmitted(1);
        assertThat(two.remainingOnArrival(counts)).isEqualTo(1);
        counts = counts.plusAdmitted(1);
        assertThat(two.remainingOnArrival(counts)).isZero();
        assertThat(two.remainingOnArrival(counts.plusAdmitted(1))).isZero();
    }

    @Test
    void whatOverflowedOrIsLateTakesNoCapacity() {
        WindowCounts counts =
                WindowCounts.EMPTY
                        .plus(Outcome.OVERFLOWED, 9)
                        .plus(Outcome.LATE, 9)
                        .plusPassedOn(9);
        assertThat(FirstCome.of(MINUTE, 1).remainingOnArrival(counts)).isEqualTo(1);
    }

    @Test
    void admitsNothingWithACapacityOfZero() {
        assertThat(FirstCome.of(MINUTE, 0).remainingOnArrival(WindowCounts.EMPTY)).isZero();
    }

    @Test
    void refusesANegativeNumber() {
        assertThatThrownBy(() -> FirstCome.of(MINUTE, -1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("minimum capacity is -1 tokens; allowed: 0 or more");
    }

    @Test
    void knowsNoFactorBeforeTheWindowCloses() {
        CapacityFormula factor = CapacityFormula.vmoe(1.25);
        assertThatThrownBy(
                        () ->
                                new FirstCome(
                                        MINUTE,
                                        factor,
                                        AdmissionOrder.POSITION,
                                        WeightRule.ROUTER,
                                        0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("capacity factor is 1.25 with first-come admission");
        Capacity atClose = AtWindowClose.of(MINUTE, factor, AdmissionOrder.POSITION);
        assertThat(atClose.decidesAtClose(0)).isTrue();
        assertThat(atClose.dependsOnTokens()).isTrue();
    }

    @Test
    void weighsByTheWindowOnlyWhereAWindowIsDecidedAtOnceByScore() {
        AtWindowClose capacity =
                AtWindowClose.of(MINUTE, CapacityFormula.fixed(1), AdmissionOrder.GATE_SCORE)
                        .withWeightRule(WeightRule.WINDOW);
        assertThat(capacity.decidesAtClose()).isTrue();
        assertThatThrownBy(() -> capacity.withOverflowRounds(1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "weights are window with prioritized admission, order gate-score and 1"
                                + " overflow rounds; allowed: prioritized, gate-score, 0");
        assertThatThrownBy(() -> FirstCome.of(MINUTE, 1).withWeightRule(WeightRule.WINDOW))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void decidesAtTheCloseWhatOverflowsAtFirst() {
        assertThat(FirstCome.of(MINUTE, 1).decidesAtClose()).isFalse();
        FirstCome rounds = FirstCome.of(MINUTE, 1).withOverflowRounds(2);
        assertThat(rounds.decidesAtClose()).isTrue();
        assertThat(rounds.decidesAtClose(0)).isFalse();
        assertThat(rounds.decidesAtClose(1)).isTrue();
        assertThat(rounds.attempts()).isEqualTo(3);
        assertThatThrownBy(() -> rounds.withOverflowRounds(-1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("overflow rounds are -1; allowed: 0 or more");
    }

    @Test
    void droplessAdmitsAllAtOnce() {
        Capacity dropless = new Dropless();
        assertThat(dropless.decidesAtClose()).isFalse();
        assertThat(dropless.attempts()).isEqualTo(1);
        assertThat(dropless.dependsOnTokens()).isFalse();
        assertThat(dropless.score()).isEqualTo(AdmissionScore.NONE);
        assertThat(dropless.remainingOnArrival(WindowCounts.EMPTY.plus(Outcome.EXECUTED, 1 << 20)))
                .isPositive();
        Candidate[] candidates = {candidate(0, 5), candidate(1, 4)};
        int capacity = dropless.expertCapacity(2, 1, 1);
        assertThat(dropless.admit(candidates, capacity, 0).flags(2)).containsExactly(true, true);
    }

    @Test
    void droplessHasOneWindowThatNeverCloses() {
        Windows windows = new Dropless().windows();
        assertThat(windows.areBounded()).isFalse();
        assertThat(windows.startOf(-5)).isEqualTo(windows.startOf(5));
        assertThat(windows.isClosed(5, Long.MAX_VALUE)).isFalse();
        assertThat(windows.endsBetween(Long.MIN_VALUE, Long.MAX_VALUE)).isFalse();
    }

    @Test
    void comparesWhatOrderAndWeightsNeed() {
        CapacityFormula one = CapacityFormula.fixed(1);
        AtWindowClose byScore = AtWindowClose.of(MINUTE, one, AdmissionOrder.GATE_SCORE);
        assertThat(byScore.score()).isEqualTo(AdmissionScore.GATE_SCORE);
        assertThat(byScore.withWeightRule(WeightRule.WINDOW).score())
                .isEqualTo(AdmissionScore.ROUTER_LOGIT);
        assertThat(AtWindowClose.of(MINUTE, one, AdmissionOrder.RANDOM).score())
                .isEqualTo(AdmissionScore.RANDOM_DRAW);
        assertThat(FirstCome.of(MINUTE, 1).score()).isEqualTo(AdmissionScore.NONE);
        assertThat(FirstCome.of(MINUTE, 1).withOverflowRounds(1).score())
                .isEqualTo(AdmissionScore.GATE_SCORE);
    }

    @Test
    void firstComeAdmitsInOrderOfArrivalAndReroutedChoicesInOrder() {
        FirstCome capacity = FirstCome.of(MINUTE, 1).withOverflowRounds(1);
        assertThat(
                        capacity.admit(new Candidate[] {candidate(0, 5), candidate(1, 4)}, 1, 0)
                                .flags(2))
                .containsExactly(true, false);
        assertThat(
                        capacity.admit(new Candidate[] {candidate(0, 5), candidate(1, 4)}, 1, 1)
                                .flags(2))
                .containsExactly(false, true);
    }

    private static Candidate candidate(int index, long timestamp) {
        return new Candidate(index, 0, 0, 0, timestamp, "a", 0, 0, index);
    }
}
