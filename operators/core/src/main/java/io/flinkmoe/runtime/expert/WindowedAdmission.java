// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.layer.ExpertCalls;
import io.flinkmoe.runtime.layer.RowList;
import io.flinkmoe.runtime.shared.WatermarkState;
import io.flinkmoe.runtime.shared.WindowCounters;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The base class of the modes with a capacity. It filters late rows and keeps the window counts.
 */
@Internal
abstract class WindowedAdmission implements AdmissionMode {

    final Capacity capacity;
    final WindowCounters counters;
    final int round;
    private final WatermarkState watermark;

    /**
     * @param round the round of admission, 0 to {@link Capacity#overflowRounds()}
     */
    WindowedAdmission(
            Capacity capacity, int round, WatermarkState watermark, WindowCounters counters) {
        this.capacity = capacity;
        this.round = round;
        this.watermark = watermark;
        this.counters = counters;
    }

    @Override
    public final RowDecisions arrive(DispatchBlock block) throws Exception {
        RowList late = new RowList(block.rows());
        RowList onTime = new RowList(block.rows());
        long now = watermark.of(block.expert());
        for (int row = 0; row < block.rows(); row++) {
            long timestamp = block.timestamps()[row];
            if (capacity.windows().isClosed(timestamp, now)) {
                counters.count(timestamp, Outcome.LATE, 1);
                late.add(row);
            } else {
                onTime.add(row);
            }
        }
        RowDecisions decisions = decide(block, onTime.toArray(), late.toArray());
        counters.save();
        return decisions;
    }

    /** Decides on rows whose window is open. */
    abstract RowDecisions decide(DispatchBlock block, int[] onTime, int[] late) throws Exception;

    /**
     * Returns the records that the next round must receive about a window that this round closes.
     */
    final List<ExpertInput> nextRound(int expert, long windowStart, int remaining) {
        // Late rows open the window again. Its second close does not report the capacity.
        boolean closedBefore = capacity.windows().isClosed(windowStart, watermark.before(expert));
        return round < capacity.overflowRounds() && !closedBefore
                ? List.of(new RemainingCapacity(expert, windowStart, remaining))
                : List.of();
    }

    @Override
    public final WindowCounts removeCounts(long windowStart) throws Exception {
        return counters.remove(windowStart);
    }

    @Override
    public final void countFailed(ExpertCalls.Result result) throws Exception {
        for (int i = 0; i < result.rows().length; i++) {
            if (result.outcomes()[i] == Outcome.FAILED.code()) {
                long timestamp = result.block().timestamps()[result.rows()[i]];
                counters.count(timestamp, Outcome.EXECUTED, -1);
                counters.count(timestamp, Outcome.FAILED, 1);
            }
        }
        counters.save();
    }
}
