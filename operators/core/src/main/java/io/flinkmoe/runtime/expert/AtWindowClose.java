package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.shared.WatermarkState;
import io.flinkmoe.runtime.shared.WindowCounters;
import org.apache.flink.annotation.Internal;

/**
 * Holds rows until the watermark closes their window, then admits them in the configured order. The
 * content of the window alone decides. Prioritized admission, and every round but the first.
 */
@Internal
final class AtWindowClose extends WindowedAdmission {

    private static final int[] NONE = {};

    private final WindowQueue queue;

    /**
     * @param round the round of admission, 0 to {@link Capacity#overflowRounds()}
     * @param queue the rows that wait, in keyed state
     */
    AtWindowClose(
            Capacity capacity,
            int round,
            WatermarkState watermark,
            WindowCounters counters,
            WindowQueue queue) {
        super(capacity, round, watermark, counters);
        this.queue = queue;
    }

    @Override
    Verdict decide(DispatchBlock block, int[] onTime, int[] late) throws Exception {
        queue.hold(block, onTime);
        return new Verdict(block, NONE, NONE, late);
    }

    @Override
    public void addTokens(WindowTokens tokens) throws Exception {
        queue.addTokens(tokens);
    }

    @Override
    public void setRemaining(RemainingCapacity remaining) throws Exception {
        queue.setRemaining(remaining);
    }

    @Override
    public Close close(int expert, long windowStart) throws Exception {
        WindowQueue.Close close = queue.close(windowStart);
        for (Verdict verdict : close.verdicts()) {
            counters.count(windowStart, Outcome.OVERFLOWED, verdict.overflowed().length);
            counters.count(windowStart, Outcome.EXECUTED, verdict.admitted().length);
        }
        return new Close(close.verdicts(), nextRound(expert, windowStart, close.remaining()));
    }
}
