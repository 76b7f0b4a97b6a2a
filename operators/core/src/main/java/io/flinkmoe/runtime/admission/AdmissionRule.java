// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import org.apache.flink.annotation.Internal;

/**
 * Decides which choices an expert admits. The operator chooses one rule when it opens: {@link
 * FirstComeRule} or {@link WindowCloseRule}. All methods refer to the operator's current key.
 */
@Internal
interface AdmissionRule {

    /** Returned by {@link #close} if no choice has asked for the expert in time. */
    int NONE_ON_TIME = -1;

    /**
     * Decides on rows of a block when it arrives, or holds them.
     *
     * @param onTime the rows whose window is open, ascending
     * @param decisions receives the decisions about the block
     */
    void arrive(CandidateBlock block, int[] onTime, Decisions decisions) throws Exception;

    /** Adds the number of tokens that a lane had in a window. */
    void addTokens(WindowTokens tokens) throws Exception;

    /** Sets the capacity that the previous round left in a window. */
    void setRemaining(RemainingCapacity remaining) throws Exception;

    /**
     * Decides on the choices that a window held.
     *
     * @param decisions receives the decisions
     * @return the capacity that is left for the next round, or {@link #NONE_ON_TIME}
     */
    int close(long windowStart, Decisions decisions) throws Exception;
}
