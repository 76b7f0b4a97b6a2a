// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.layer.RowList;
import io.flinkmoe.runtime.shared.WatermarkState;
import io.flinkmoe.runtime.shared.WindowCounters;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** Admits rows as they arrive while their window has capacity left. */
@Internal
final class FirstComeAdmission extends WindowedAdmission {

    FirstComeAdmission(Capacity capacity, WatermarkState watermark, WindowCounters counters) {
        super(capacity, 0, watermark, counters);
    }

    @Override
    RowDecisions decide(DispatchBlock block, int[] onTime, int[] late) throws Exception {
        RowList admitted = new RowList(onTime.length);
        RowList overflowed = new RowList(onTime.length);
        for (int row : onTime) {
            long timestamp = block.timestamps()[row];
            if (capacity.remainingOnArrival(counters.at(timestamp)) > 0) {
                counters.count(timestamp, Outcome.EXECUTED, 1);
                admitted.add(row);
            } else {
                counters.count(timestamp, Outcome.OVERFLOWED, 1);
                overflowed.add(row);
            }
        }
        return new RowDecisions(block, admitted.toArray(), overflowed.toArray(), late);
    }

    @Override
    public void addTokens(WindowTokens tokens) {
        throw new IllegalStateException("a fixed capacity does not depend on a window's tokens");
    }

    @Override
    public void setRemaining(RemainingCapacity remaining) {
        throw new IllegalStateException("there is no round before the first");
    }

    @Override
    public Close close(int expert, long windowStart) throws Exception {
        int remaining = capacity.remainingOnArrival(counters.at(windowStart));
        return new Close(List.of(), nextRound(expert, windowStart, remaining));
    }
}
