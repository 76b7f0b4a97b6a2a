// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import org.apache.flink.annotation.Internal;

/**
 * The restore of an open window.
 *
 * @param millis from the moment at which the first task began to restore its state until all ran
 * @param bytes the size of the restored state
 */
@Internal
record Restore(long millis, long bytes) {

    private static final double GIGA = 1e9;

    static Restore measure(JobPlan plan, GrowingWindow window) throws Exception {
        WindowLoad nothing = new WindowLoad(1, 1);
        try (StateJob job = plan.restore(nothing, plan.usualCheckpoints(), window.path())) {
            long millis = job.awaitRunning();
            // Of a checkpoint that nothing is added to, the restored state is the whole.
            return new Restore(millis, job.checkpoint().stateBytes());
        }
    }

    /** The seconds per 10^9 bytes, without the time that a start takes anyway. */
    double secondsPerGb(long startMillis) {
        return Math.max(0, millis - startMillis) / 1000.0 / (bytes / GIGA);
    }
}
