// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import io.flinkmoe.capacity.Outcome;
import java.util.Arrays;
import org.apache.flink.annotation.Experimental;

/**
 * What one layer answered for T tokens.
 *
 * @param out [T, d], the residual included
 * @param logits [T, N]
 * @param experts [T, k], in order of rank, the expert that executed the choice, or the first one
 *     tried if it overflowed; -1 where the logits are not finite
 * @param weights [T, k], of these experts, as the capacity weighs them
 * @param outcomes [T, k], codes of {@link Outcome}
 * @param attempts [T, k], the last attempt of the choice, from 0
 * @param slots [T, k], its place in the buffer of the expert in the window; -1 if it was not
 *     admitted
 */
@Experimental
public record LayerResult(
        float[] out,
        float[] logits,
        int[] experts,
        float[] weights,
        byte[] outcomes,
        byte[] attempts,
        int[] slots) {

    /** Of choices that have one attempt and no slot. */
    public LayerResult(
            float[] out, float[] logits, int[] experts, float[] weights, byte[] outcomes) {
        this(
                out,
                logits,
                experts,
                weights,
                outcomes,
                new byte[outcomes.length],
                new int[outcomes.length]);
        Arrays.fill(slots, -1);
    }

    LayerResult(int tokens, int d, int n, int k) {
        this(
                new float[tokens * d],
                new float[tokens * n],
                new int[tokens * k],
                new float[tokens * k],
                new byte[tokens * k]);
    }

    boolean isExecuted(int choice) {
        return outcomes[choice] == Outcome.EXECUTED.code()
                || outcomes[choice] == Outcome.REROUTED.code();
    }
}
