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
 *
 * <p>A barrier may be slow for other reasons. So a pause has a maximum length. Checkpoints may also
 * follow each other closely. So slices run for a while between two pauses: for a quarter of the
 * first pause, or for 100 ms if that is more, but not longer than the pause. A pause that had to be
 * ended is followed by slices for as long as it took.
 */
@Internal
final class CheckpointPause {

    private static final long MAX_MILLIS = Duration.ofSeconds(5).toMillis();

    private static final long SHORT_MILLIS = 100;

    private static final long NONE = -1;

    private final ProcessingTimeService time;
    private final Slices slices;
    private long announced = NONE; // The checkpoint whose barrier is ahead.
    private long over = NONE; // The last checkpoint whose barrier has passed, or that was aborted.
    private boolean on;
    private long start;
    private long earliest = Long.MIN_VALUE; // The earliest start of the next pause.
    private ScheduledFuture<?> timer;

    CheckpointPause(ProcessingTimeService time, Slices slices) {
        this.time = time;
        this.slices = slices;
    }

    /** Whether slices are paused. */
    boolean isOn() {
        return on;
    }

    /** Starts a pause, now or when slices have run for long enough. */
    void announce(long checkpoint) {
        if (checkpoint <= over) {
            return; // An announcement can arrive late.
        }
        announced = checkpoint;
        if (!on) {
            cancelTimer();
            if (time.getCurrentProcessingTime() >= earliest) {
                begin();
            } else {
                timer = time.registerTimer(earliest, timestamp -> begin());
            }
        }
    }

    private void begin() {
        on = true;
        start = time.getCurrentProcessingTime();
        slices.pause();
        timer = time.registerTimer(start + MAX_MILLIS, timestamp -> end(MAX_MILLIS));
    }

    /** Lets slices run after a barrier. */
    void pass(long checkpoint) {
        over = Math.max(over, checkpoint);
        if (announced <= checkpoint) {
            end(SHORT_MILLIS);
        }
    }

    /** Lets slices run if the barrier that is ahead may not come. */
    void abort(long checkpoint) {
        over = Math.max(over, checkpoint);
        if (announced == checkpoint) {
            end(SHORT_MILLIS);
        }
    }

    /**
     * @param millis how long slices run before the next pause, unless this one was shorter, or a
     *     quarter of it is longer
     */
    private void end(long millis) {
        announced = NONE;
        cancelTimer();
        if (on) {
            on = false;
            long now = time.getCurrentProcessingTime();
            long length = now - start;
            earliest = now + Math.max(Math.min(length, millis), length / 4);
            slices.resume();
        }
    }

    private void cancelTimer() {
        if (timer != null) {
            timer.cancel(false);
            timer = null;
        }
    }
}
