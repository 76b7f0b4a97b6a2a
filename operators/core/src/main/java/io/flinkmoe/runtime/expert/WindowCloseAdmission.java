// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.Windows;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.shared.WatermarkState;
import io.flinkmoe.runtime.shared.WindowCounters;
import org.apache.flink.annotation.Internal;

/**
 * Holds rows until the watermark closes their window, then admits them in the configured order. The
 * content of the window alone decides. Used for prioritized admission, and for every round after
 * the first.
 */
@Internal
final class WindowCloseAdmission extends WindowedAdmission {

    private static final int[] NONE = {};

    private final WindowQueue queue;

    /**
     * @param round the round of admission, 0 to {@link Capacity#overflowRounds()}
     * @param queue the held rows, in keyed state
     */
    WindowCloseAdmission(
            Capacity capacity,
            int round,
            WatermarkState watermark,
            WindowCounters counters,
            WindowQueue queue) {
        super(capacity, round, watermark, counters);
        this.queue = queue;
    }

    @Override
    RowDecisions decide(DispatchBlock block, int[] onTime, int[] late) throws Exception {
        long[] timestamps = block.timestamps();
        Windows windows = capacity.windows();
        for (int[] rows : RowGroups.of(onTime, row -> windows.startOf(timestamps[row]))) {
            long windowStart = windows.startOf(timestamps[rows[0]]);
            queue.hold(windowStart, block.select(rows));
            counters.open(windowStart);
        }
        return new RowDecisions(block, NONE, NONE, late);
    }

    @Override
    public void addTokens(WindowTokens tokens) throws Exception {
        queue.addTokens(tokens);
        counters.open(tokens.windowStart());
    }

    @Override
    public void setRemaining(RemainingCapacity remaining) throws Exception {
        queue.setRemaining(remaining);
        counters.open(remaining.windowStart());
    }

    @Override
    public Close close(int expert, long windowStart) throws Exception {
        WindowQueue.Close close = queue.close(windowStart, round);
        for (RowDecisions decisions : close.decisions()) {
            counters.count(windowStart, Outcome.OVERFLOWED, decisions.overflowed().length);
            counters.count(windowStart, Outcome.EXECUTED, decisions.admitted().length);
        }
        return new Close(close.decisions(), nextRound(expert, windowStart, close.remaining()));
    }
}
