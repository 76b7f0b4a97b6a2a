// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SoakCountsTest {

    private final SoakCounts tally = new SoakCounts();

    @BeforeEach
    void send() {
        tally.sent(2);
        tally.sent(0);
        tally.sent(1);
    }

    @Test
    void isCompleteWhenEachIsScoredOnceInAnyOrder() {
        tally.scored(1);
        tally.scored(0);
        assertThat(tally.isComplete()).isFalse();
        tally.scored(2);
        assertThat(tally.isComplete()).isTrue();
    }

    @Test
    void oneScoredTwiceDoesNotMakeUpForOneMissing() {
        tally.scored(0);
        tally.scored(0);
        tally.scored(1);

        assertThat(tally.isComplete()).isFalse();
        assertThat(tally).hasToString("3 flights sent, 1 missing, 1 scored twice or never sent");
    }

    @Test
    void noticesAnswersToWhatWasNeverSent() {
        for (long position = 0; position < 4; position++) {
            tally.scored(position);
        }

        assertThat(tally).hasToString("3 flights sent, 0 missing, 1 scored twice or never sent");
    }
}
