// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WindowCountsTest {

    @Test
    void countsEachOutcomeInItsPlace() {
        WindowCounts counts =
                WindowCounts.EMPTY
                        .plus(Outcome.EXECUTED, 1)
                        .plus(Outcome.REROUTED, 20)
                        .plus(Outcome.OVERFLOWED, 300)
                        .plus(Outcome.LATE, 4_000)
                        .plus(Outcome.FAILED, 50_000);
        assertThat(counts).isEqualTo(new WindowCounts(54_321, 0, 0, 1, 20, 300, 4_000, 50_000, 0));
    }

    @ParameterizedTest
    @EnumSource
    void staysBalancedWhateverTheOutcome(Outcome outcome) {
        WindowCounts counts = WindowCounts.EMPTY.plus(outcome, 3);
        assertThat(counts.isBalanced()).isTrue();
        assertThat(counts.plus(outcome, -3)).isEqualTo(WindowCounts.EMPTY);
    }

    @Test
    void isNotBalancedWhileOutcomesAreMissing() {
        WindowCounts counts = WindowCounts.EMPTY.plusAsked(2);
        assertThat(counts).isEqualTo(new WindowCounts(2, 0, 0, 0, 0, 0, 0, 0, 0));
        assertThat(counts.isBalanced()).isFalse();
    }

    @Test
    void addsUpFieldByField() {
        WindowCounts one = new WindowCounts(28, 1, 2, 3, 4, 5, 6, 7, 8);
        WindowCounts other = new WindowCounts(280, 10, 20, 30, 40, 50, 60, 70, 80);
        assertThat(one.plus(other))
                .isEqualTo(new WindowCounts(308, 11, 22, 33, 44, 55, 66, 77, 88));
        assertThat(one.plus(WindowCounts.EMPTY)).isEqualTo(one);
    }

    @Test
    void staysBalancedWhateverAnAdmissionDecides() {
        WindowCounts counts = WindowCounts.EMPTY.plusAdmitted(2).plusPassedOn(30);
        assertThat(counts).isEqualTo(new WindowCounts(32, 2, 30, 0, 0, 0, 0, 0, 0));
        assertThat(counts.isBalanced()).isTrue();
    }

    @Test
    void tokensAreNoChoices() {
        WindowCounts counts = WindowCounts.EMPTY.plusTokens(3).plusTokens(4);
        assertThat(counts).isEqualTo(new WindowCounts(0, 0, 0, 0, 0, 0, 0, 0, 7));
        assertThat(counts.isBalanced()).isTrue();
        assertThat(counts.plusAsked(1).isBalanced()).isFalse();
        assertThat(counts.plus(Outcome.EXECUTED, 2).tokens()).isEqualTo(7);
    }

    @ParameterizedTest
    @EnumSource
    void readsAnOutcomeFromItsCode(Outcome outcome) {
        assertThat(Outcome.ofCode(outcome.code())).isEqualTo(outcome);
    }

    @Test
    void keepsTheWireCodesOfTheOutcomes() {
        assertThat(Outcome.values())
                .as("codes are in state and on the wire: new outcomes go to the end")
                .startsWith(
                        Outcome.EXECUTED,
                        Outcome.REROUTED,
                        Outcome.OVERFLOWED,
                        Outcome.LATE,
                        Outcome.FAILED);
    }
}
