// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import java.time.Duration;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.Preconditions;

/**
 * Checkpoints while windows close and the input goes on at full speed.
 *
 * @param rate tokens per second
 * @param longest the longest checkpoint from the close of the first window to the last answer
 * @param count the number of checkpoints in that time
 * @param medianMillis the median of their durations
 * @param failed the number of checkpoints that failed
 */
@Internal
record ClosingWindows(
        double rate, CheckpointTimes longest, int count, long medianMillis, long failed) {

    private static final Duration INTERVAL = Duration.ofMillis(100);

    /**
     * @param time the minimum duration; at least one window closes completely
     */
    static ClosingWindows measure(JobPlan plan, int warmUp, Duration time, boolean unaligned)
            throws Exception {
        WindowLoad load = new WindowLoad(warmUp, plan.setting().tokens());
        try (StateJob job = plan.start(load, plan.frequentCheckpoints(INTERVAL, unaligned))) {
            job.warmUp();
            load.allow(Long.MAX_VALUE);
            job.awaitSent(load.tokensOf(2) + 1);
            long closed = System.currentTimeMillis();
            long failed = job.numFailed(); // Before all tasks ran.
            long before = load.numAnswers();
            job.awaitAnswers(load.tokensOf(2));
            while (System.currentTimeMillis() < closed + time.toMillis()) {
                job.awaitAnswers(load.numAnswers() + 1);
            }
            double seconds = (System.currentTimeMillis() - closed) / 1000.0;
            double rate = (load.numAnswers() - before) / seconds;
            return of(
                    rate,
                    CheckpointTimes.since(job.checkpoints(), closed),
                    job.numFailed() - failed);
        }
    }

    private static ClosingWindows of(double rate, List<CheckpointTimes> checkpoints, long failed) {
        Preconditions.checkState(!checkpoints.isEmpty(), "no checkpoint was taken in time");
        long[] millis = checkpoints.stream().mapToLong(CheckpointTimes::millis).sorted().toArray();
        return new ClosingWindows(
                rate,
                CheckpointTimes.longest(checkpoints),
                millis.length,
                millis[millis.length / 2],
                failed);
    }
}
