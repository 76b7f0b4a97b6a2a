// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import io.flinkmoe.capacity.Outcome;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Experimental;

/**
 * What one layer answered for T tokens. A choice is an expert that a token asks for; k is the most
 * that a token makes. With several gates, the choices are the union of what the gates choose.
 *
 * @param out [T, output size], the residual included
 * @param logits [T, N] of the gate; empty with several gates
 * @param experts [T, k], in order of rank, the expert that executed the choice, or the first one
 *     tried if it overflowed; -1 where the router failed the token
 * @param weights [T, k], of these experts, as the capacity weighs them; with several gates, the sum
 *     of what they give the expert
 * @param outcomes [T, k], codes of {@link Outcome}; {@link Outcome#NO_CHOICE} where a token makes
 *     fewer choices
 * @param attempts [T, k], the last attempt of the choice, from 0
 * @param slots [T, k], its place in the buffer of the expert in the window; -1 if it was not
 *     admitted
 * @param gates the gates, if there are several; else empty
 */
@Experimental
public record LayerResult(
        float[] out,
        float[] logits,
        int[] experts,
        float[] weights,
        byte[] outcomes,
        byte[] attempts,
        int[] slots,
        List<GateResult> gates) {

    /** Of choices of one gate that have one attempt and no slot. */
    public LayerResult(
            float[] out, float[] logits, int[] experts, float[] weights, byte[] outcomes) {
        this(
                out,
                logits,
                experts,
                weights,
                outcomes,
                new byte[outcomes.length],
                new int[outcomes.length],
                List.of());
        Arrays.fill(slots, -1);
    }

    boolean isExecuted(int choice) {
        return outcomes[choice] == Outcome.EXECUTED.code()
                || outcomes[choice] == Outcome.REROUTED.code();
    }

    /** Whether an expert executed any of a token's choices. */
    boolean isAnyExecuted(int token, int k) {
        boolean any = false;
        for (int choice = token * k; choice < (token + 1) * k; choice++) {
            any |= isExecuted(choice);
        }
        return any;
    }
}
