package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class CapacityTest {

    private static final TumblingWindows MINUTE = new TumblingWindows(60_000);

    @Test
    void hasRoomUntilSoManyAreAdmitted() {
        Capacity two = Capacity.firstCome(MINUTE, 2);
        WindowCounts account = WindowCounts.EMPTY;
        assertThat(two.remaining(account)).isEqualTo(2);
        account = account.plus(Outcome.EXECUTED, 1);
        assertThat(two.remaining(account)).isEqualTo(1);
        account = account.plus(Outcome.FAILED, 1);
        assertThat(two.remaining(account)).isZero();
        assertThat(two.remaining(account.plus(Outcome.EXECUTED, 1))).isZero();
    }

    @Test
    void givesNoRoomAwayToWhatWasTurnedAwayOrLate() {
        WindowCounts account =
                WindowCounts.EMPTY
                        .plus(Outcome.OVERFLOWED, 9)
                        .plus(Outcome.LATE, 9)
                        .plus(Outcome.REROUTED, 9);
        assertThat(Capacity.firstCome(MINUTE, 1).remaining(account)).isEqualTo(1);
    }

    @Test
    void mayBeNoneAtAll() {
        assertThat(Capacity.firstCome(MINUTE, 0).remaining(WindowCounts.EMPTY)).isZero();
    }

    @Test
    void refusesANegativeNumber() {
        assertThatThrownBy(() -> Capacity.firstCome(MINUTE, -1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("minimum capacity is -1 tokens; allowed: 0 or more");
    }

    @Test
    void knowsNoFactorBeforeTheWindowCloses() {
        CapacityFormula factor = CapacityFormula.vmoe(1.25);
        assertThatThrownBy(
                        () ->
                                new Capacity(
                                        MINUTE,
                                        factor,
                                        Admission.FIRST_COME,
                                        AdmissionOrder.POSITION,
                                        WeightRule.ROUTER,
                                        0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("capacity factor is 1.25 with first-come admission");
        assertThat(Capacity.prioritized(MINUTE, factor, AdmissionOrder.POSITION).isPrioritized())
                .isTrue();
    }

    @Test
    void weighsByTheWindowOnlyWhereAWindowIsDecidedAtOnceByScore() {
        Capacity capacity =
                Capacity.prioritized(MINUTE, CapacityFormula.fixed(1), AdmissionOrder.GATE_SCORE)
                        .weighedBy(WeightRule.WINDOW);
        assertThat(capacity.decidesAtClose()).isTrue();
        assertThatThrownBy(() -> capacity.withOverflowRounds(1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "weights are window with prioritized admission, order gate-score and 1"
                                + " overflow rounds; allowed: prioritized, gate-score, 0");
        assertThatThrownBy(() -> Capacity.firstCome(MINUTE, 1).weighedBy(WeightRule.WINDOW))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void decidesAtTheCloseWhatOverflowsAtFirst() {
        assertThat(Capacity.firstCome(MINUTE, 1).decidesAtClose()).isFalse();
        Capacity rounds = Capacity.firstCome(MINUTE, 1).withOverflowRounds(2);
        assertThat(rounds.decidesAtClose()).isTrue();
        assertThat(rounds.attempts()).isEqualTo(3);
        assertThatThrownBy(() -> rounds.withOverflowRounds(-1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("overflow rounds are -1; allowed: 0 or more");
    }
}
