package io.flinkmoe.runtime.shared;

import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.ProcessingTimeService.ProcessingTimeCallback;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/** The wait for a batch to fill: one timer at a time, set by the first that waits. */
@Internal
public final class Linger {

    private final ProcessingTimeService time;
    private final long millis;
    private final ProcessingTimeCallback onEnd;
    private boolean timerSet;

    /**
     * @param millis how long the first waits at most
     * @param onEnd runs in the operator's thread
     */
    public Linger(ProcessingTimeService time, long millis, ProcessingTimeCallback onEnd) {
        this.time = time;
        this.millis = millis;
        this.onEnd = onEnd;
    }

    /** Something waits. */
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
