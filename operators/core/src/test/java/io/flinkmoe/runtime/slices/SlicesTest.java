// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.slices;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledFuture;
import org.apache.flink.runtime.io.AvailabilityProvider.AvailabilityHelper;
import org.apache.flink.runtime.io.network.api.writer.ResultPartitionWriterWithAvailabilityHelper;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.clock.Clock;
import org.apache.flink.util.clock.SystemClock;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SlicesTest {

    private final Mails mails = new Mails();
    private final AvailabilityHelper firstOutput = new AvailabilityHelper();
    private final AvailabilityHelper secondOutput = new AvailabilityHelper();
    private MockEnvironment task;
    private Slices slices;

    private int due;
    private int done;

    @BeforeEach
    void createTask() {
        task = MockEnvironment.builder().build();
        task.addOutputs(
                List.of(
                        new ResultPartitionWriterWithAvailabilityHelper(firstOutput),
                        new ResultPartitionWriterWithAvailabilityHelper(secondOutput)));
        firstOutput.resetAvailable();
        secondOutput.resetAvailable();
        slices = new Slices(mails, task, this::runSlice);
    }

    @AfterEach
    void closeTask() throws Exception {
        task.close();
    }

    private boolean runSlice() {
        done++;
        due--;
        return due > 0;
    }

    @Test
    void runsNoSliceBeforeItsMail() throws Exception {
        due = 1;
        slices.start();
        assertThat(done).isZero();
        mails.run();
        assertThat(done).isEqualTo(1);
    }

    @Test
    void runsEachSliceInAMailOfItsOwnUntilNothingIsLeft() throws Exception {
        due = 3;
        slices.start();
        for (int slice = 1; slice <= 3; slice++) {
            assertThat(mails.queue).hasSize(1);
            mails.run();
            assertThat(done).isEqualTo(slice);
        }
        assertThat(mails.queue).isEmpty();
    }

    @Test
    void hasOneMailHoweverOftenItIsStarted() throws Exception {
        due = 1;
        slices.start();
        slices.start();
        mails.run();
        assertThat(mails.queue).isEmpty();
        assertThat(done).isEqualTo(1);
    }

    @Test
    void startsAgainWhenMoreWorkCame() throws Exception {
        due = 1;
        slices.start();
        mails.run();
        due = 1;
        slices.start();
        mails.run();
        assertThat(done).isEqualTo(2);
    }

    @Test
    void hasOneMailIfASliceStartsTheNextOneItself() throws Exception {
        slices =
                new Slices(
                        mails,
                        task,
                        () -> {
                            slices.start();
                            return runSlice();
                        });
        due = 2;
        slices.start();
        mails.run();
        assertThat(mails.queue).hasSize(1);
    }

    @Test
    void runsNoSliceWhileItIsPaused() throws Exception {
        due = 2;
        slices.start();
        slices.pause();
        mails.run();
        slices.start();
        assertThat(mails.queue).isEmpty();
        assertThat(done).isZero();

        slices.resume();
        slices.resume();
        assertThat(mails.queue).hasSize(1);
        mails.run();
        mails.run();
        assertThat(done).isEqualTo(2);
    }

    @Test
    void aPauseBeforeTheStartAndOneWithoutWorkChangeNothing() throws Exception {
        slices.pause();
        slices.resume();
        assertThat(mails.queue).isEmpty();
        due = 1;
        slices.pause();
        slices.start();
        slices.resume();
        mails.run();
        assertThat(done).isEqualTo(1);
        assertThat(mails.queue).isEmpty();
    }

    @Test
    void waitsUntilAllOutputsHaveFreeBuffers() throws Exception {
        due = 2;
        slices.start();
        firstOutput.resetUnavailable();
        secondOutput.resetUnavailable();
        mails.run();
        assertThat(mails.queue).isEmpty();

        firstOutput.getUnavailableToResetAvailable().complete(null);
        assertThat(mails.queue).isEmpty();
        slices.start();
        assertThat(mails.queue).isEmpty();

        secondOutput.getUnavailableToResetAvailable().complete(null);
        assertThat(mails.queue).hasSize(1);
        assertThat(done).isZero();
        mails.run();
        assertThat(done).isEqualTo(1);
    }

    @Test
    void looksAtTheOutputsAgainBeforeEachSlice() throws Exception {
        due = 2;
        slices.start();
        mails.run();
        secondOutput.resetUnavailable();
        mails.run();
        assertThat(done).isEqualTo(1);

        CompletableFuture<?> free = secondOutput.getUnavailableToResetAvailable();
        firstOutput.resetUnavailable(); // Another operator of the task has used its last buffer.
        free.complete(null);
        mails.run();
        assertThat(done).isEqualTo(1);

        firstOutput.getUnavailableToResetAvailable().complete(null);
        mails.run();
        assertThat(done).isEqualTo(2);
    }

    @Test
    void runsNoSliceAfterTheTimersAreQuiesced() throws Exception {
        due = 3;
        slices.start();
        mails.run();
        mails.quiesce();
        assertThat(mails.queue).isEmpty();
        slices.start();
        assertThat(mails.queue).isEmpty();
        assertThat(done).isEqualTo(1);
    }

    @Test
    void runsNoSliceIfAnOutputHasFreeBuffersAfterTheTimersAreQuiesced() throws Exception {
        due = 1;
        slices.start();
        firstOutput.resetUnavailable();
        mails.run();
        mails.quiesce();
        firstOutput.getUnavailableToResetAvailable().complete(null);
        assertThat(mails.queue).isEmpty();
        assertThat(done).isZero();
    }

    @Test
    void drainsAllWorkEvenIfTimersAreQuiescedAndOutputsHaveNoBuffers() throws Exception {
        due = 3;
        slices.start();
        firstOutput.resetUnavailable();
        mails.quiesce();
        slices.drain();
        assertThat(done).isEqualTo(3);
    }

    /** Timers that are due at once. A test runs them one by one, as a task runs its mails. */
    private static final class Mails implements ProcessingTimeService {
        final Queue<ProcessingTimeCallback> queue = new ArrayDeque<>();
        private boolean quiesced;

        /** Runs the mails that are due, but none that they enqueue. */
        void run() throws Exception {
            for (int left = queue.size(); left > 0; left--) {
                queue.remove().onProcessingTime(0);
            }
        }

        @Override
        public ScheduledFuture<?> registerTimer(long timestamp, ProcessingTimeCallback target) {
            assertThat(timestamp).isLessThanOrEqualTo(getCurrentProcessingTime());
            if (!quiesced) {
                queue.add(target);
            }
            return null;
        }

        @Override
        public CompletableFuture<Void> quiesce() {
            quiesced = true;
            queue.clear();
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public Clock getClock() {
            return SystemClock.getInstance();
        }

        @Override
        public ScheduledFuture<?> scheduleAtFixedRate(
                ProcessingTimeCallback callback, long initialDelay, long period) {
            throw new UnsupportedOperationException();
        }

        @Override
        public ScheduledFuture<?> scheduleWithFixedDelay(
                ProcessingTimeCallback callback, long initialDelay, long period) {
            throw new UnsupportedOperationException();
        }
    }
}
