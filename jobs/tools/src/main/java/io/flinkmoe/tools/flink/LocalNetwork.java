// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flink;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.flinkmoe.scoring.cli.NetworkBuffers;
import java.lang.management.ManagementFactory;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.util.MathUtils;

/**
 * The network memory of a cluster in this process, sized for its job. A job with many layers or
 * subtasks gets more buffers; if they would take more than half of the direct memory, they get
 * smaller. Options of the user are not changed, but checked.
 */
@Internal
final class LocalNetwork {

    /** Flink's default. Smaller buffers are a last resort. */
    private static final MemorySize FLINKS_DEFAULT = MemorySize.parse("32kb");

    /** Flink's limit. */
    private static final MemorySize SMALLEST = MemorySize.parse("4kb");

    private final Configuration given;
    private final long mostBytes;

    /**
     * @param given the options of the user
     */
    LocalNetwork(Configuration given) {
        this(given, maxDirectMemory() / 2);
    }

    LocalNetwork(Configuration given, long mostBytes) {
        this.given = given;
        this.mostBytes = mostBytes;
    }

    /**
     * Sets the options of the cluster's network memory.
     *
     * @param options the options of cluster and job
     * @throws IllegalConfigurationException if the user's options leave too little memory for the
     *     job, or this process has too little; the message says what to set
     */
    void fit(JobGraph graph, Configuration options) {
        int taskManagers = options.get(TaskManagerOptions.MINI_CLUSTER_NUM_TASK_MANAGERS);
        int slots =
                options.getOptional(TaskManagerOptions.NUM_TASK_SLOTS)
                        .orElseGet(
                                () ->
                                        MathUtils.divideRoundUp(
                                                graph.getMaximumParallelism(), taskManagers));
        NetworkBuffers buffers = NetworkBuffers.of(graph, slots, options);
        if (given.contains(TaskManagerOptions.NETWORK_MEMORY_MIN)
                || given.contains(TaskManagerOptions.NETWORK_MEMORY_MAX)) {
            // The segments are as large as without these options: a dry run's number is enough.
            long memory = Math.max(mostBytes / taskManagers, givenMemory().getBytes());
            BlockBuffers.setDefault(
                    options, TaskManagerOptions.MEMORY_SEGMENT_SIZE, segment(buffers, memory));
            NetworkBuffers.check(graph, givenMemory(), slots, options);
            return;
        }
        long most = mostBytes / taskManagers;
        MemorySize segment =
                given.getOptional(TaskManagerOptions.MEMORY_SEGMENT_SIZE)
                        .orElseGet(() -> segment(buffers, most));
        long needed = buffers.neededMemory(segment).getBytes();
        if (needed > most) {
            throw new IllegalConfigurationException(
                    "the job needs %,d network buffers of %s (%s), which is more than half of this program's direct memory, %d MiB; use a smaller segment size or parallelism, or give the program more memory: JVM_ARGS=-XX:MaxDirectMemorySize=%dm"
                            .formatted(
                                    buffers.needed(),
                                    segment,
                                    TaskManagerOptions.MEMORY_SEGMENT_SIZE.key(),
                                    2 * mostBytes >> 20,
                                    (2 * needed * taskManagers >> 20) + 1));
        }
        long used = Math.min(most, buffers.usedMemory(segment).getBytes());
        MemorySize memory =
                new MemorySize(Math.max(BlockBuffers.NETWORK.getBytes(), Math.max(needed, used)));
        options.set(TaskManagerOptions.MEMORY_SEGMENT_SIZE, segment);
        options.set(TaskManagerOptions.NETWORK_MEMORY_MIN, memory);
        options.set(TaskManagerOptions.NETWORK_MEMORY_MAX, memory);
    }

    /** Flink uses one of the two options for the other if that is not set. */
    private MemorySize givenMemory() {
        return given.getOptional(TaskManagerOptions.NETWORK_MEMORY_MAX)
                .orElseGet(() -> given.get(TaskManagerOptions.NETWORK_MEMORY_MIN));
    }

    /** The largest segment size with which the buffers take at most {@code most} bytes. */
    private static MemorySize segment(NetworkBuffers buffers, long most) {
        MemorySize segment = BlockBuffers.SEGMENT;
        while (segment.compareTo(FLINKS_DEFAULT) > 0
                && buffers.usedMemory(segment).getBytes() > most) {
            segment = segment.divide(2);
        }
        while (segment.compareTo(SMALLEST) > 0 && buffers.neededMemory(segment).getBytes() > most) {
            segment = segment.divide(2);
        }
        return segment;
    }

    private static long maxDirectMemory() {
        HotSpotDiagnosticMXBean vm =
                ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        long limit = Long.parseLong(vm.getVMOption("MaxDirectMemorySize").getValue());
        return limit > 0 ? limit : Runtime.getRuntime().maxMemory(); // The JVM's default.
    }
}
