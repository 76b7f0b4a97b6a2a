// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ValueState;

/** The progress of the lanes of a subtask. The first batch of a lane is in keyed state. */
@Internal
public final class WaitingLanes {

    private final Map<Integer, LaneProgress> lanes = new HashMap<>();
    private final ValueState<Long> first;
    private final long firstOfNewLane;
    private final int maxRows;

    /**
     * @param first the first batch that is not completely emitted
     * @param firstOfNewLane the same for a lane that has no state
     * @param maxRows the maximum number of rows that are emitted together
     */
    public WaitingLanes(ValueState<Long> first, long firstOfNewLane, int maxRows) {
        this.first = first;
        this.firstOfNewLane = firstOfNewLane;
        this.maxRows = maxRows;
    }

    /** The lanes that have had tokens or results. */
    public Set<Integer> lanes() {
        return lanes.keySet();
    }

    /** The progress of the current key's lane. */
    public LaneProgress of(int lane) throws Exception {
        LaneProgress progress = lanes.get(lane);
        if (progress == null) {
            Long inState = first.value();
            progress = new LaneProgress(inState == null ? firstOfNewLane : inState, maxRows);
            lanes.put(lane, progress);
        }
        return progress;
    }

    /** The most tokens of one lane all of whose choices have results. */
    public int mostReady() {
        int most = 0;
        for (LaneProgress progress : lanes.values()) {
            most = Math.max(most, progress.numReady());
        }
        return most;
    }

    /**
     * The watermark that may be forwarded: it is held just below the oldest waiting token that is
     * not late.
     */
    public long limit(long inputWatermark) {
        long limit = inputWatermark;
        for (LaneProgress progress : lanes.values()) {
            long waiting = progress.minTimestamp();
            if (waiting != Long.MAX_VALUE) {
                limit = Math.min(limit, waiting - 1);
            }
        }
        return limit;
    }

    /**
     * Checks that no token waits any longer.
     *
     * @param what what they wait for, in the message
     * @throws IllegalStateException if one does
     */
    public void checkEmpty(String what) {
        for (Map.Entry<Integer, LaneProgress> lane : lanes.entrySet()) {
            if (!lane.getValue().isEmpty()) {
                throw new IllegalStateException(
                        "the input has ended, but tokens of lane %d still wait for %s"
                                .formatted(lane.getKey(), what));
            }
        }
    }
}
