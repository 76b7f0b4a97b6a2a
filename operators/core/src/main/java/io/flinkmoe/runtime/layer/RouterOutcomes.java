// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.shared.ChoiceCounter;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * Sets the outcomes that the router determines, and counts all choices: LATE for late tokens,
 * FAILED for tokens that cannot be routed, OVERFLOWED for choices that a random policy leaves out.
 * All other choices are PENDING: an expert determines their outcome.
 */
@Internal
public final class RouterOutcomes {

    private final ChoiceCounter counter;
    private final int k;

    /**
     * @param k choices per token
     */
    RouterOutcomes(ChoiceCounter counter, int k) {
        this.counter = counter;
        this.k = k;
    }

    /** Sets the outcomes of a routed block in {@code choices}, and counts its choices. */
    void set(TokenBlock tokens, Routed routed, Choices choices) throws Exception {
        int ranks = choices.ranks();
        int rows = tokens.rows();
        for (int row = 0; row < rows; row++) {
            boolean routable = routed.isRoutable(row);
            if (!routable) {
                Arrays.fill(choices.experts(), row * ranks, (row + 1) * ranks, -1);
                clear(choices.weights(), row, rows);
                clear(choices.gates().weights(), row, rows);
            }
            for (int choice = row * k; choice < row * k + k; choice++) {
                byte outcome = routed.outcome(choice, Choices.PENDING, Outcome.NO_CHOICE);
                boolean isLate =
                        tokens.isLate(row) && (choice == row * k || outcome != Outcome.NO_CHOICE);
                choices.outcomes()[choice] = isLate ? Outcome.LATE.code() : outcome;
            }
        }
        counter.countBlock(tokens.timestamps(), choices.outcomes(), k);
    }

    /** Sets the values of a row of {@code rows} to 0. */
    private static void clear(float[] values, int row, int rows) {
        int width = values.length / rows;
        Arrays.fill(values, row * width, (row + 1) * width, 0);
    }

    /** Counts the choices that diverted late tokens would have made. */
    public void countDiverted(TokenBlock late) throws Exception {
        for (long timestamp : late.timestamps()) {
            counter.count(timestamp, Outcome.LATE, k);
        }
        counter.save();
    }
}
