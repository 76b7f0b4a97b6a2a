// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.slices;

import io.flinkmoe.runtime.shared.TaskOutputs;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Does the work of an operator in slices, each in a mail of its own. So records, barriers and the
 * cancellation of the task pass between two slices. A slice runs only while all outputs of the task
 * have free buffers; otherwise the outputs' availability starts the next one.
 *
 * <p>The mails come from processing-time timers, not from the task's mailbox executor: when a job
 * stops with a savepoint, Flink quiesces the timers before the last barrier. So no slice follows
 * it.
 */
@Internal
final class Slices {

    /** A time that has always passed. */
    private static final long NOW = 0;

    private final ProcessingTimeService time;
    private final TaskOutputs outputs;
    private final Work work;
    private boolean scheduled;
    private boolean paused;
    private boolean held; // A slice is due, but the work is paused.

    /** Work that is done in slices. It sets the current key itself. */
    @FunctionalInterface
    interface Work {
        /**
         * Does a little of the work.
         *
         * @return whether more is left that can be done now
         */
        boolean runSlice() throws Exception;
    }

    /**
     * @param task the task of the operator
     */
    Slices(ProcessingTimeService time, Environment task, Work work) {
        this.time = time;
        this.outputs = new TaskOutputs(task);
        this.work = work;
    }

    /** Makes sure that a slice runs soon. */
    void start() {
        if (!scheduled) {
            scheduled = true;
            enqueue();
        }
    }

    /** Lets no slice run until {@link #resume}. */
    void pause() {
        paused = true;
    }

    /** Lets slices run again. */
    void resume() {
        paused = false;
        if (held) {
            held = false;
            enqueue();
        }
    }

    /** Does all the work that can be done now. Call it when the input has ended. */
    void drain() throws Exception {
        while (work.runSlice()) {
            // The next slice follows.
        }
    }

    private void enqueue() {
        time.registerTimer(NOW, timestamp -> run());
    }

    private void run() throws Exception {
        if (paused) {
            held = true;
            return;
        }
        CompletableFuture<?> available = outputs.available();
        if (!available.isDone()) {
            available.thenRun(this::enqueue);
            return;
        }
        scheduled = false;
        if (work.runSlice()) {
            start();
        }
    }
}
