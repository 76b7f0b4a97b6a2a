// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.head;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.runtime.block.Choices;
import java.util.Collections;
import org.junit.jupiter.api.Test;

class DecisionsTest {

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
        LayerSpec spec =
                LayerSpec.oneGate(
                        1,
                        "router.onnx",
                        RoutingConfig.softmax(5, 1),
                        Collections.nCopies(5, "expert.onnx"));

        DecisionRecord.Layer layer = Decisions.ranked(choices, 1, spec);

        assertThat(layer.experts()).containsExactly(4);
        assertThat(layer.gates())
                .containsExactly(
                        new DecisionRecord.Gate(
                                "0", new int[] {4}, new float[] {Float.NaN}, new float[] {0.25f}));
    }
}
