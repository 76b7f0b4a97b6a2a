// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.ProcessingTimeService.ProcessingTimeCallback;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * The timer that limits how long records wait for a batch to fill. At most one timer is set at a
 * time.
 */
@Internal
public final class Linger {

    private final ProcessingTimeService time;
    private final long millis;
    private final ProcessingTimeCallback onEnd;
    private boolean timerSet;

    /**
     * @param millis the longest time that the first record waits
     * @param onEnd runs when the time has passed, in the operator's thread
     */
    public Linger(ProcessingTimeService time, long millis, ProcessingTimeCallback onEnd) {
        this.time = time;
        this.millis = millis;
        this.onEnd = onEnd;
    }

    /** Sets the timer, unless it is already set. Call it when a record waits. */
    public void start() {
        if (!timerSet) {
            timerSet = true;
            time.registerTimer(time.getCurrentProcessingTime() + millis, this::end);
        }
    }

    private void end(long timestamp) throws Exception {
        timerSet = false;
        onEnd.onProcessingTime(timestamp);
    }
}
