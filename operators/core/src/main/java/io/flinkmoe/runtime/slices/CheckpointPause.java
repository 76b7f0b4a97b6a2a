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
 * <p>A barrier may be slow for other reasons, and checkpoints may follow each other closely. So a
 * pause has a maximum length, and slices run for a while before the next one: as long as a short
 * pause took, and a quarter of a long one, since a barrier may wait meanwhile.
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
        timer = time.registerTimer(start + MAX_MILLIS, timestamp -> end());
    }

    /** Lets slices run after a barrier. */
    void pass(long checkpoint) {
        over = Math.max(over, checkpoint);
        if (announced <= checkpoint) {
            end();
        }
    }

    /** Lets slices run if the barrier that is ahead may not come. */
    void abort(long checkpoint) {
        over = Math.max(over, checkpoint);
        if (announced == checkpoint) {
            end();
        }
    }

    private void end() {
        announced = NONE;
        cancelTimer();
        if (on) {
            on = false;
            long now = time.getCurrentProcessingTime();
            long length = now - start;
            earliest = now + Math.max(Math.min(length, SHORT_MILLIS), length / 4);
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
