// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.shared.WindowCounters;
import org.apache.flink.annotation.Internal;

/** Admits choices as they arrive while their window has capacity left. */
@Internal
final class FirstComeRule implements AdmissionRule {

    private final Capacity capacity;
    private final WindowCounters counters;

    /**
     * @param counters the counts of the open windows, from which the capacity left follows
     */
    FirstComeRule(Capacity capacity, WindowCounters counters) {
        this.capacity = capacity;
        this.counters = counters;
    }

    @Override
    public void arrive(CandidateBlock block, int[] onTime, Decisions decisions) throws Exception {
        for (int row : onTime) {
            if (capacity.remainingOnArrival(counters.at(block.timestamps()[row])) > 0) {
                decisions.admit(row);
            } else {
                decisions.refuse(row);
            }
        }
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
    public int close(long windowStart, Decisions decisions) throws Exception {
        WindowCounts counts = counters.at(windowStart);
        return counts.asked() > counts.late() ? capacity.remainingOnArrival(counts) : NONE_ON_TIME;
    }
}
