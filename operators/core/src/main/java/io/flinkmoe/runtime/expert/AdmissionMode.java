package io.flinkmoe.runtime.expert;

import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Decides which rows an expert admits. The operator chooses one mode when it opens: {@link
 * Dropless}, {@link FirstCome} or {@link AtWindowClose}. All methods refer to the operator's
 * current key.
 */
@Internal
interface AdmissionMode {

    /** Decides on the rows of a block as they arrive, or holds them. */
    Verdict arrive(DispatchBlock block) throws Exception;

    /** Adds the number of tokens that a lane has in a window. */
    void addTokens(WindowTokens tokens) throws Exception;

    /** Sets the capacity that the previous round left in a window. */
    void setRemaining(RemainingCapacity remaining) throws Exception;

    /** Decides on the rows that a window held. */
    Close close(int expert, long windowStart) throws Exception;

    /** Corrects the window counts: rows that were admitted, but failed. */
    void countFailed(ExpertCalls.Answer answer) throws Exception;

    /**
     * The decisions at the close of a window.
     *
     * @param verdicts one per block that was held
     * @param nextRound what the next round must know before the watermark closes the window there
     */
    record Close(List<Verdict> verdicts, List<ExpertInput> nextRound) {}
}
