// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.head;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import org.junit.jupiter.api.Test;

class HeadTest {

    /** It waited in state when the log was turned on. */
    @Test
    void aTokenThatWasRoutedBeforeTheLogWasAskedForHasNoScores() {
        byte executed = Outcome.EXECUTED.code();
        Choices choices =
                new Choices(
                        1,
                        new int[] {3, 4},
                        new float[] {0.5f, 0.25f},
                        new byte[] {executed, executed});
        TokenBlock tokens =
                new TokenBlock(
                        0,
                        new String[] {"a", "b"},
                        new long[] {1, 2},
                        new long[] {10, 20},
                        new byte[8],
                        new Choices[] {choices});

        DecisionRecord.Layer layer = Head.decisionRecord(tokens, 1, 0, "v1").layers()[0];

        assertThat(layer.experts()).containsExactly(4);
        assertThat(layer.scores()).containsExactly(Float.NaN);
        assertThat(layer.weights()).containsExactly(0.25f);
    }
}
