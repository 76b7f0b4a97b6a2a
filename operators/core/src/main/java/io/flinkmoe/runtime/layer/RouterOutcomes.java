// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.onnx.Routed;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.shared.ChoiceCounter;
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
        for (int row = 0; row < tokens.rows(); row++) {
            boolean routable = routed.isRoutable(row);
            for (int rank = 0; rank < ranks && !routable; rank++) {
                choices.experts()[row * ranks + rank] = -1;
                choices.weights()[row * ranks + rank] = 0;
            }
            for (int choice = row * k; choice < row * k + k; choice++) {
                choices.outcomes()[choice] =
                        tokens.isLate(row)
                                ? Outcome.LATE.code()
                                : routed.outcome(choice, k, Choices.PENDING);
            }
        }
        counter.countBlock(tokens.timestamps(), choices.outcomes(), k);
    }

    /** Counts the choices that diverted late tokens would have made. */
    public void countDiverted(TokenBlock late) throws Exception {
        for (long timestamp : late.timestamps()) {
            counter.count(timestamp, Outcome.LATE, k);
        }
        counter.save();
    }
}
