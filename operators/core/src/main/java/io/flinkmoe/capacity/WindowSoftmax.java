// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * The softmax of one expert's logits over the R tokens of a window that chose it: Expert Choice as
 * Mesh TensorFlow has it ({@code _expert_selection_gating}). The exponentials are summed in order
 * of the logits, so that the arrival does not change a bit.
 */
@Internal
public final class WindowSoftmax {

    private WindowSoftmax() {}

    /**
     * The shares of the tokens.
     *
     * @param logits [R]
     * @return [R], in the same order
     */
    public static float[] of(float[] logits) {
        if (logits.length == 0) {
            return logits;
        }
        float[] sorted = logits.clone();
        Arrays.sort(sorted);
        float[] sortedShares = Scores.of(ScoringFunc.SOFTMAX, sorted, sorted.length);
        float[] shares = new float[logits.length];
        for (int row = 0; row < shares.length; row++) {
            shares[row] = sortedShares[Arrays.binarySearch(sorted, logits[row])];
        }
        return shares;
    }
}
