package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class CapacityTest {

    private static final TumblingWindows MINUTE = new TumblingWindows(60_000);

    @Test
    void hasRoomUntilSoManyAreAdmitted() {
        Capacity two = Capacity.firstCome(MINUTE, 2);
        WindowAccount account = WindowAccount.EMPTY;
        assertThat(two.hasRoom(account)).isTrue();
        account = account.plus(Outcome.EXECUTED, 1);
        assertThat(two.hasRoom(account)).isTrue();
        account = account.plus(Outcome.FAILED, 1);
        assertThat(two.hasRoom(account)).isFalse();
    }

    @Test
    void givesNoRoomAwayToWhatWasTurnedAwayOrLate() {
        WindowAccount account =
                WindowAccount.EMPTY
                        .plus(Outcome.OVERFLOWED, 9)
                        .plus(Outcome.LATE, 9)
                        .plus(Outcome.REROUTED, 9);
        assertThat(Capacity.firstCome(MINUTE, 1).hasRoom(account)).isTrue();
    }

    @Test
    void mayBeNoneAtAll() {
        assertThat(Capacity.firstCome(MINUTE, 0).hasRoom(WindowAccount.EMPTY)).isFalse();
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
                                        false))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("capacity factor is 1.25 with first-come admission");
        assertThat(Capacity.prioritized(MINUTE, factor, AdmissionOrder.POSITION).isPrioritized())
                .isTrue();
    }
}
