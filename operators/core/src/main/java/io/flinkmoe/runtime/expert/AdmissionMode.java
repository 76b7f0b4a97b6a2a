// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.layer.ExpertCalls;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Decides which rows an expert admits. The operator chooses one mode when it opens: {@link
 * DroplessAdmission}, {@link FirstComeAdmission} or {@link WindowCloseAdmission}. All methods refer
 * to the operator's current key.
 */
@Internal
interface AdmissionMode {

    /** Decides on the rows of a block when it arrives, or holds them. */
    RowDecisions arrive(DispatchBlock block) throws Exception;

    /** Adds the number of tokens that a lane had in a window. */
    void addTokens(WindowTokens tokens) throws Exception;

    /** Sets the capacity that the previous round left in a window. */
    void setRemaining(RemainingCapacity remaining) throws Exception;

    /** Decides on the rows that a window held. */
    Close close(int expert, long windowStart) throws Exception;

    /** Removes the counts of a window that has closed. */
    WindowCounts removeCounts(long windowStart) throws Exception;

    /** Corrects the window counts for admitted rows that failed. */
    void countFailed(ExpertCalls.Result result) throws Exception;

    /**
     * The decisions at the close of a window.
     *
     * @param decisions one per held block
     * @param nextRound the records that the next round must receive before the watermark that
     *     closes the window
     */
    record Close(List<RowDecisions> decisions, List<ExpertInput> nextRound) {}
}
