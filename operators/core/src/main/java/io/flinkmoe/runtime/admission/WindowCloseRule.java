// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Windows;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.shared.WindowCounters;
import org.apache.flink.annotation.Internal;

/**
 * Holds choices until the watermark closes their window, then admits them in the configured order.
 * The content of the window alone decides. Used for prioritized admission, and for every round
 * after the first.
 */
@Internal
final class WindowCloseRule implements AdmissionRule {

    private final Windows windows;
    private final int round;
    private final WindowQueue queue;
    private final WindowCounters counters;

    /**
     * @param round the round of admission, 0 to {@link Capacity#overflowRounds()}
     * @param queue the held choices, in keyed state
     * @param counters the open windows
     */
    WindowCloseRule(Capacity capacity, int round, WindowQueue queue, WindowCounters counters) {
        this.windows = capacity.windows();
        this.round = round;
        this.queue = queue;
        this.counters = counters;
    }

    @Override
    public void arrive(CandidateBlock block, int[] onTime, Decisions decisions) throws Exception {
        long[] timestamps = block.timestamps();
        for (int[] rows : RowGroups.of(onTime, row -> windows.startOf(timestamps[row]))) {
            long windowStart = windows.startOf(timestamps[rows[0]]);
            queue.hold(windowStart, block.select(rows));
            counters.open(windowStart);
            decisions.hold(windowStart, rows.length);
        }
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
    public int close(long windowStart, Decisions decisions) throws Exception {
        return queue.close(windowStart, round, decisions);
    }
}
