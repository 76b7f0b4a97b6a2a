// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.NettyShuffleEnvironmentOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.instance.SlotSharingGroupId;
import org.apache.flink.runtime.jobgraph.DistributionPattern;
import org.apache.flink.runtime.jobgraph.IntermediateDataSet;
import org.apache.flink.runtime.jobgraph.JobEdge;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobgraph.JobVertex;

/**
 * The network buffers that a task manager needs when all its slots run a streaming job.
 *
 * <p>A subtask with s receivers needs s + 1 buffers per output, and uses up to 2 s + 8. An input
 * needs 1 buffer plus 2 per sender in another task manager, and uses up to 7 more. (Flink computes
 * both in {@code NettyShuffleUtils} and {@code InputGateSpecUtils}.) Flink fails the job if a task
 * manager has fewer buffers than its subtasks need.
 *
 * @param needed the number without which the job cannot run
 * @param used the number that the job uses at full speed
 */
@Internal
public record NetworkBuffers(long needed, long used) {

    private static final int PER_CHANNEL = 2;
    private static final int FLOATING_PER_GATE = 8;

    private static final NetworkBuffers NONE = new NetworkBuffers(0, 0);

    private NetworkBuffers plus(NetworkBuffers other) {
        return new NetworkBuffers(needed + other.needed, used + other.used);
    }

    /** The memory that is needed with buffers of a size. */
    public MemorySize neededMemory(MemorySize segment) {
        return segment.multiply(needed);
    }

    /** The memory that is used at full speed with buffers of a size. */
    public MemorySize usedMemory(MemorySize segment) {
        return segment.multiply(used);
    }

    /**
     * Computes the buffers of one task manager. If slots can be filled in several ways, it assumes
     * the one with the most buffers.
     *
     * @param slots the number of slots of each task manager
     * @param options Flink's options for job and task managers
     */
    public static NetworkBuffers of(JobGraph graph, int slots, ReadableConfig options) {
        Map<SlotSharingGroupId, List<JobVertex>> groups = new HashMap<>();
        for (JobVertex task : graph.getVertices()) {
            groups.computeIfAbsent(
                            task.getSlotSharingGroup().getSlotSharingGroupId(),
                            id -> new ArrayList<>())
                    .add(task);
        }
        int slotsOfJob =
                groups.values().stream().mapToInt(NetworkBuffers::maximumParallelism).sum();
        Senders senders = senders(slots, slotsOfJob, groups.size(), options);
        List<NetworkBuffers> perSlot = new ArrayList<>();
        for (List<JobVertex> group : groups.values()) {
            for (int slot = 0; slot < maximumParallelism(group); slot++) {
                perSlot.add(ofSlot(group, slot, senders, options));
            }
        }
        perSlot.sort(Comparator.comparingLong(NetworkBuffers::needed).reversed());
        return perSlot.stream().limit(slots).reduce(NONE, NetworkBuffers::plus);
    }

    /** The least number of subtasks of a sender in the same task manager as its receivers. */
    @FunctionalInterface
    private interface Senders {
        int inSameTaskManager(JobVertex sender);
    }

    private static Senders senders(int slots, int slotsOfJob, int groups, ReadableConfig options) {
        if (options.get(CheckpointingOptions.ENABLE_UNALIGNED)) {
            return sender -> 0; // Restoring in-flight data takes the buffers of every channel.
        }
        if (slotsOfJob <= slots) {
            return JobVertex::getParallelism;
        }
        if (groups > 1) {
            return sender -> 0;
        }
        int elsewhere = slotsOfJob - slots;
        return sender -> Math.max(0, sender.getParallelism() - elsewhere);
    }

    private static int maximumParallelism(Collection<JobVertex> group) {
        return group.stream().mapToInt(JobVertex::getParallelism).max().orElse(0);
    }

    /** The buffers of one subtask of each task that has more than {@code slot} subtasks. */
    private static NetworkBuffers ofSlot(
            List<JobVertex> group, int slot, Senders senders, ReadableConfig options) {
        Optional<Integer> limit =
                options.getOptional(
                        NettyShuffleEnvironmentOptions.NETWORK_READ_MAX_REQUIRED_BUFFERS_PER_GATE);
        NetworkBuffers sum = NONE;
        for (JobVertex task : group) {
            if (task.getParallelism() <= slot) {
                continue;
            }
            for (JobEdge input : task.getInputs()) {
                sum = sum.plus(ofInput(input, senders, limit.orElse(Integer.MAX_VALUE)));
            }
            for (IntermediateDataSet output : task.getProducedDataSets()) {
                int receivers =
                        output.getConsumers().stream()
                                .mapToInt(NetworkBuffers::receiversPerSender)
                                .max()
                                .orElse(0);
                sum =
                        sum.plus(
                                new NetworkBuffers(
                                        receivers + 1,
                                        receivers * PER_CHANNEL + FLOATING_PER_GATE));
            }
        }
        return sum;
    }

    private static NetworkBuffers ofInput(JobEdge input, Senders local, int limit) {
        JobVertex sender = input.getSource().getProducer();
        int senders = sender.getParallelism();
        int remote = senders - local.inSameTaskManager(sender);
        if (input.getDistributionPattern() == DistributionPattern.POINTWISE && remote > 0) {
            remote = divideRoundUp(senders, input.getTarget().getParallelism());
        }
        int exclusive = remote * PER_CHANNEL;
        return new NetworkBuffers(
                Math.min(limit, exclusive + 1), (long) exclusive + FLOATING_PER_GATE);
    }

    private static int receiversPerSender(JobEdge edge) {
        int receivers = edge.getTarget().getParallelism();
        return edge.getDistributionPattern() == DistributionPattern.ALL_TO_ALL
                ? receivers
                : divideRoundUp(receivers, edge.getSource().getProducer().getParallelism());
    }

    private static int divideRoundUp(int dividend, int divisor) {
        return (dividend + divisor - 1) / divisor;
    }

    /**
     * Checks that the network memory of a task manager is enough.
     *
     * @param available the network memory of each task manager
     * @param slots the number of slots of each task manager
     * @param options Flink's options for job and task managers
     * @throws IllegalConfigurationException if it is less; the message says what to set
     */
    public static void check(
            JobGraph graph, MemorySize available, int slots, ReadableConfig options) {
        NetworkBuffers buffers = of(graph, slots, options);
        MemorySize segment = options.get(TaskManagerOptions.MEMORY_SEGMENT_SIZE);
        long has = available.getBytes() / segment.getBytes();
        if (has < buffers.needed) {
            throw new IllegalConfigurationException(
                    "the network memory of a task manager is %s, which is %,d buffers of %s (%s), but the job needs %,d buffers in %d slots; set %s and %s to %s or more, or use a smaller segment size or parallelism"
                            .formatted(
                                    mebibytes(available),
                                    has,
                                    segment,
                                    TaskManagerOptions.MEMORY_SEGMENT_SIZE.key(),
                                    buffers.needed,
                                    slots,
                                    TaskManagerOptions.NETWORK_MEMORY_MIN.key(),
                                    TaskManagerOptions.NETWORK_MEMORY_MAX.key(),
                                    mebibytes(buffers.neededMemory(segment))));
        }
    }

    /** A size as Flink's options take it, rounded up. */
    static String mebibytes(MemorySize size) {
        return ((size.getBytes() + (1 << 20) - 1) >> 20) + "mb";
    }
}
