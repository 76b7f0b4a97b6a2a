// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;

/**
 * The size of an open window: its part of a full, uncompressed checkpoint, and of the heap.
 *
 * @param tokens T
 * @param empty the checkpoint of the job when no window is open
 * @param full the checkpoint with the window
 * @param heapBytes the heap that the window takes after garbage collection
 */
@Internal
record OpenWindow(int tokens, CheckpointTimes empty, CheckpointTimes full, long heapBytes) {

    private static final MemoryMXBean MEMORY = ManagementFactory.getMemoryMXBean();
    private static final int MAX_COLLECTIONS = 20;
    private static final long SAME_BYTES = 100_000;
    private static final long PAUSE_MILLIS = 100;

    static OpenWindow measure(JobPlan plan, int warmUp) throws Exception {
        int tokens = plan.setting().tokens();
        WindowLoad load = new WindowLoad(warmUp, tokens);
        try (StateJob job = plan.start(load, plan.fullCheckpoints())) {
            job.warmUp();
            CheckpointTimes empty = job.checkpoint();
            long before = usedHeap();
            job.send(load.tokensOf(2));
            CheckpointTimes full = job.checkpoint();
            return new OpenWindow(tokens, empty, full, usedHeap() - before);
        }
    }

    /**
     * Collects garbage until the used heap stays the same: some of it is freed by other threads.
     */
    private static long usedHeap() throws InterruptedException {
        long before = Long.MAX_VALUE;
        long used = collect();
        for (int i = 0; i < MAX_COLLECTIONS && before - used > SAME_BYTES; i++) {
            Thread.sleep(PAUSE_MILLIS);
            before = used;
            used = collect();
        }
        return used;
    }

    private static long collect() {
        MEMORY.gc();
        return MEMORY.getHeapMemoryUsage().getUsed();
    }

    /** The bytes of the window in the checkpoint, per token and layer. */
    double bytesPerToken(int layers) {
        return (full.stateBytes() - empty.stateBytes()) / ((double) tokens * layers);
    }

    double heapBytesPerToken() {
        return (double) heapBytes / tokens;
    }

    /** The bytes per token by task; tasks without any are left out. */
    Map<String, Double> bytesPerTokenByTask() {
        Map<String, Double> perToken = new TreeMap<>();
        Map<String, Long> before = empty.bytesByTask();
        full.bytesByTask()
                .forEach(
                        (task, bytes) -> {
                            double added = bytes - before.getOrDefault(task, 0L);
                            if (added >= tokens / 100.0) {
                                perToken.put(task, added / tokens);
                            }
                        });
        return perToken;
    }
}
