// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import java.io.Serializable;
import org.apache.flink.annotation.Experimental;

/**
 * How many choices of a window one expert admits, which ones, and with which weights they count. A
 * choice that is not admitted overflows, or is rerouted to the token's next most probable expert.
 *
 * <p>The options choose one of three modes: {@link Dropless}, {@link FirstCome}, {@link
 * AtWindowClose}. There is always one, so that nothing needs to handle a missing capacity.
 */
@Experimental
public interface Capacity extends Serializable {

    /** The windows in which capacity is counted. */
    Windows windows();

    /** The order in which candidates are admitted when a window closes. */
    AdmissionOrder order();

    /** What the outputs of executed choices are multiplied by. */
    WeightRule weightRule();

    /**
     * How often a choice that is not admitted tries the token's next most probable expert ({@link
     * NextExpert}). With 0 it overflows at once, and the token keeps its residual.
     */
    int overflowRounds();

    /** The experts that a choice tries at most. */
    default int attempts() {
        return 1 + overflowRounds();
    }

    /**
     * Whether the choices of a round wait for the close of their window.
     *
     * @param round 0 for the first attempt, to {@link #overflowRounds()}
     */
    boolean decidesAtClose(int round);

    /** Whether the choices of any round wait for the close of their window. */
    default boolean decidesAtClose() {
        return decidesAtClose(overflowRounds());
    }

    /** Whether C depends on the tokens of the window, so that they must be counted. */
    boolean dependsOnTokens();

    /** What the admission at the close of a window compares. */
    AdmissionScore score();

    /**
     * C, the choices of a window that one expert admits over all rounds.
     *
     * @param tokens T, the tokens of the window that are not late
     * @param numExperts N
     * @param topK k
     */
    int expertCapacity(int tokens, int numExperts, int topK);

    /**
     * How many more choices an expert may admit on arrival; 0 if it decides when the window closes.
     *
     * @param counted what was counted for the window so far
     */
    int remainingOnArrival(WindowCounts counted);

    /**
     * Decides over all candidates of one expert in one window and round.
     *
     * @param candidates in order of arrival; may be sorted in place
     * @param remaining the capacity that is left by the rounds before
     */
    ExpertAdmission admit(Candidate[] candidates, int remaining, int round);
}
