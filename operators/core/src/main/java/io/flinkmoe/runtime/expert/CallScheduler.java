// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.runtime.layer.ExpertCalls;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Chooses which expert of a subtask runs next, for calls that are not full. The fullest call runs
 * first. Calls are deferred while more input is queued, because input fills calls and large calls
 * are faster per row, but only a limited number of times.
 */
@Internal
final class CallScheduler {

    /** No row is waiting. */
    static final int NONE = -1;

    /** Rows are waiting, but the queued input may fill their calls. */
    static final int DEFERRED = -2;

    /** How many times calls are deferred before all of them run. */
    private static final int MAX_DEFERRALS = 8;

    private final List<ExpertCalls> experts;
    private int deferrals;

    /**
     * @param experts the experts of the subtask
     */
    CallScheduler(List<ExpertCalls> experts) {
        this.experts = experts;
    }

    /**
     * Chooses the next call.
     *
     * @param inputQueued whether the subtask has more input to process
     * @return the index of the expert that runs now, {@link #DEFERRED}, or {@link #NONE}
     */
    int next(boolean inputQueued) {
        int fullest = fullest();
        if (fullest == NONE) {
            reset();
        } else if (inputQueued && deferrals < MAX_DEFERRALS) {
            deferrals++;
            return DEFERRED;
        }
        return fullest;
    }

    /** Restarts the count of deferrals. Call it after all calls have run. */
    void reset() {
        deferrals = 0;
    }

    /** The rows that wait for the calls of all experts. */
    long waiting() {
        long rows = 0;
        for (ExpertCalls expert : experts) {
            rows += expert.waiting();
        }
        return rows;
    }

    /** The index of the expert with the fullest call, or {@link #NONE}. */
    int fullest() {
        int fullest = NONE;
        int most = 0;
        for (int i = 0; i < experts.size(); i++) {
            int waiting = experts.get(i).waiting();
            if (waiting > most) {
                most = waiting;
                fullest = i;
            }
        }
        return fullest;
    }
}
