// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import io.flinkmoe.tools.machine.CpuShare;
import java.time.Duration;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.Preconditions;

/**
 * Checkpoints while windows close and the input goes on at full speed.
 *
 * @param part which checkpoints: aligned or unaligned ones
 * @param rate tokens per second
 * @param longest the longest checkpoint from the close of the first window to the last answer
 * @param count the number of checkpoints in that time
 * @param medianMillis the median of their durations
 * @param failed the number of checkpoints that failed
 * @param otherCpu the share of the machine's CPU time that other processes used meanwhile
 */
@Internal
record ClosingWindows(
        Part part,
        double rate,
        CheckpointTimes longest,
        int count,
        long medianMillis,
        long failed,
        double otherCpu) {

    private static final Duration INTERVAL = Duration.ofMillis(100);

    /**
     * @param time the minimum duration; at least one window closes completely
     */
    static ClosingWindows measure(JobPlan plan, int warmUp, Duration time, Part part)
            throws Exception {
        CpuShare.ofOthers(); // Counts from now.
        WindowLoad load = new WindowLoad(warmUp, plan.setting().tokens());
        try (StateJob job =
                plan.start(load, plan.frequentCheckpoints(INTERVAL, part == Part.UNALIGNED))) {
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
                    part,
                    rate,
                    CheckpointTimes.since(job.checkpoints(), closed),
                    job.numFailed() - failed);
        }
    }

    private static ClosingWindows of(
            Part part, double rate, List<CheckpointTimes> checkpoints, long failed) {
        Preconditions.checkState(!checkpoints.isEmpty(), "no checkpoint was taken in time");
        long[] millis = checkpoints.stream().mapToLong(CheckpointTimes::millis).sorted().toArray();
        return new ClosingWindows(
                part,
                rate,
                CheckpointTimes.longest(checkpoints),
                millis.length,
                millis[millis.length / 2],
                failed,
                CpuShare.ofOthers());
    }

    /** All figures, with their marks. */
    List<Figure> figures() {
        return List.of(
                Figure.of(
                        part + "_tokens_per_second",
                        "tokens/s with %s checkpoints every 100 ms".formatted(part),
                        rate,
                        0),
                Figure.of(
                                "longest_" + part + "_ms",
                                "longest %s checkpoint of %d (median %,d), ms"
                                        .formatted(part, count, medianMillis),
                                longest.millis(),
                                0)
                        .atMost(StateSetting.MAX_CHECKPOINT_MILLIS),
                Figure.of(
                        part + "_other_cpu_percent",
                        "CPU time that other processes used meanwhile, %",
                        100 * otherCpu,
                        0));
    }
}
