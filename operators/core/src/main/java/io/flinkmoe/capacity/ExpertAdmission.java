// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import java.util.Arrays;
import org.apache.flink.annotation.Experimental;

/**
 * The rule of admission: what one expert decides over the R candidates of one window and round.
 *
 * <pre>
 *   sort the candidates in {@link AdmissionOrder}
 *   admitted  = min(R, remaining)                  the first ones
 *   remaining = remaining - admitted               for the next round
 * </pre>
 *
 * @param candidates [R], in order of admission
 * @param admitted how many of them are admitted
 * @param remaining the capacity that is left for the next round
 */
@Experimental
public record ExpertAdmission(Candidate[] candidates, int admitted, int remaining) {

    /** Admits the first candidates in an order, which sorts them in place. */
    public static ExpertAdmission inOrder(
            Candidate[] candidates, AdmissionOrder order, int remaining) {
        Arrays.sort(candidates, order);
        return first(candidates, remaining);
    }

    /** Admits the first candidates as they stand. */
    static ExpertAdmission first(Candidate[] candidates, int remaining) {
        int admitted = Math.min(candidates.length, remaining);
        return new ExpertAdmission(candidates, admitted, remaining - admitted);
    }

    /**
     * Which choices are admitted, by {@link Candidate#index()}.
     *
     * @param choices above every index
     */
    public boolean[] flags(int choices) {
        boolean[] flags = new boolean[choices];
        for (int i = 0; i < admitted; i++) {
            flags[candidates[i].index()] = true;
        }
        return flags;
    }
}
