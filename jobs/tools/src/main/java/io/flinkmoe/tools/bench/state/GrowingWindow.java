// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import io.flinkmoe.tools.machine.CpuShare;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * A window that fills in equal parts, with a checkpoint after each, and then closes.
 *
 * @param startMillis how long the job took to start without state
 * @param checkpoints the checkpoint after each part
 * @param part the tokens of each part
 * @param path the last checkpoint, with the full window; it is kept
 * @param closeMillis from the close of the window to its last answer
 * @param closeCpuMillis the CPU time of this process in that time
 */
@Internal
record GrowingWindow(
        long startMillis,
        List<CheckpointTimes> checkpoints,
        int part,
        String path,
        double closeMillis,
        double closeCpuMillis) {

    /** More than RocksDB collects in one level before it writes the files anew. */
    private static final int PARTS = 8;

    static GrowingWindow measure(JobPlan plan, int warmUp) throws Exception {
        int tokens = plan.setting().tokens();
        WindowLoad load = new WindowLoad(warmUp, tokens);
        try (StateJob job = plan.start(load, plan.usualCheckpoints())) {
            long startMillis = job.awaitRunning();
            job.warmUp();
            job.checkpoint(); // What the warm-up left is not counted.
            List<CheckpointTimes> checkpoints = new ArrayList<>();
            for (int i = 1; i <= PARTS; i++) {
                job.send(load.tokensOf(1) + (long) tokens * i / PARTS);
                checkpoints.add(job.checkpoint());
            }
            long start = System.nanoTime();
            long cpu = CpuShare.ownNanos();
            load.close(1);
            job.awaitAnswers(load.tokensOf(2));
            double closeMillis = (System.nanoTime() - start) / 1e6;
            double closeCpuMillis = (CpuShare.ownNanos() - cpu) / 1e6;
            return new GrowingWindow(
                    startMillis,
                    checkpoints,
                    tokens / PARTS,
                    job.path(),
                    closeMillis,
                    closeCpuMillis);
        }
    }

    /** The bytes that a checkpoint wrote, on average. */
    double meanBytes() {
        return checkpoints.stream().mapToLong(CheckpointTimes::bytes).average().orElseThrow();
    }

    /** The duration of a checkpoint, on average. */
    double meanMillis() {
        return checkpoints.stream().mapToLong(CheckpointTimes::millis).average().orElseThrow();
    }

    /** What a checkpoint wrote, relative to what came in since the previous one: on average. */
    double meanIncrement(double bytesPerToken) {
        return meanBytes() / (part * bytesPerToken);
    }

    /** The same for the largest checkpoint. */
    double maxIncrement(double bytesPerToken) {
        long largest = checkpoints.stream().mapToLong(CheckpointTimes::bytes).max().orElseThrow();
        return largest / (part * bytesPerToken);
    }
}
