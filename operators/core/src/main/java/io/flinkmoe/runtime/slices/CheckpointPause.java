// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.slices;

import java.time.Duration;
import java.util.concurrent.ScheduledFuture;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Stops the slices from the announcement of a checkpoint until its barrier has passed. Flink reads
 * no input while an output of the task has no free buffers, and slices take what becomes free. So
 * records in front of the barrier, and the barrier, would wait for the tasks that follow, such as
 * experts that compute.
 */
@Internal
final class CheckpointPause {

    /** If the barrier is held up elsewhere, the work goes on nevertheless. */
    private static final Duration MAX = Duration.ofSeconds(5);

    private static final long NONE = -1;

    private final ProcessingTimeService time;
    private final Slices slices;
    private long checkpoint = NONE;
    private ScheduledFuture<?> end;

    CheckpointPause(ProcessingTimeService time, Slices slices) {
        this.time = time;
        this.slices = slices;
    }

    boolean isOn() {
        return checkpoint != NONE;
    }

    void start(long announced) {
        if (isOn()) {
            end.cancel(false);
        }
        checkpoint = announced;
        slices.pause();
        long latest = time.getCurrentProcessingTime() + MAX.toMillis();
        end = time.registerTimer(latest, timestamp -> endFor(announced));
    }

    /** Lets slices run again after a barrier, or when a checkpoint was aborted. */
    void endFor(long passed) {
        if (isOn() && passed >= checkpoint) {
            end.cancel(false);
            checkpoint = NONE;
            slices.resume();
        }
    }
}
