// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.util.FlinkRuntimeException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compares the offsets at which splits start with those that the topic has. Offsets of a state can
 * be gone, because retention has removed the records or because the topic was created anew. Kafka's
 * consumer would jump to other records and say nothing.
 *
 * <p>Marks such as "earliest" become offsets, so that a checkpoint contains them: restored from a
 * mark, a job would not notice what was removed while it was down.
 */
@Internal
final class SplitOffsets implements Serializable {

    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(SplitOffsets.class);

    private final Properties properties;
    private final MissingOffsets missing;

    /**
     * @param properties the properties of the consumer
     */
    SplitOffsets(Properties properties, MissingOffsets missing) {
        this.properties = properties;
        this.missing = missing;
    }

    /**
     * Splits to read.
     *
     * @param splits with the offsets to start at and the ids of their topics
     * @param skipped sentences that say what is not read
     */
    record Resolved(List<KafkaPartitionSplit> splits, List<String> skipped) {}

    /**
     * Replaces marks by offsets and, if that is allowed, missing offsets by others. Leaves out
     * splits whose partition is gone, if that is allowed.
     *
     * @throws MissingOffsetsException if the topic does not have the offsets of all splits, and no
     *     other position is allowed
     */
    Resolved resolve(List<KafkaPartitionSplit> splits) {
        if (splits.isEmpty()) {
            return new Resolved(splits, List.of());
        }
        try (TopicOffsets topic = new TopicOffsets(properties, partitions(splits))) {
            return resolve(splits, topic);
        }
    }

    private Resolved resolve(List<KafkaPartitionSplit> splits, TopicOffsets topic) {
        List<KafkaPartitionSplit> resolved = new ArrayList<>(splits.size());
        List<String> gaps = new ArrayList<>();
        List<String> skipped = new ArrayList<>();
        Map<Long, Map<TopicPartition, Long>> marks = topic.marks(starts(splits));
        for (KafkaPartitionSplit split : splits) {
            TopicPartition partition = split.getTopicPartition();
            long start = split.getStartingOffset();
            if (!topic.exists(partition)) {
                gaps.add(topic.gap(split, start));
                skipped.add(
                        "The partition %s is no longer read: the topic does not have it any more."
                                .formatted(partition));
                continue;
            }
            if (marks.containsKey(start)) {
                start = marks.get(start).get(partition);
            }
            if (!topic.has(split, start)) {
                long wanted = start;
                gaps.add(topic.gap(split, wanted));
                start =
                        missing == MissingOffsets.LATEST
                                ? topic.end(partition)
                                : topic.earliest(partition);
                skipped.add(skipped(topic, split, wanted, start));
            }
            long stop = split.getStoppingOffset().orElse(KafkaPartitionSplit.NO_STOPPING_OFFSET);
            resolved.add(
                    new TopicSplit(
                            new KafkaPartitionSplit(partition, start, stop), topic.id(partition)));
        }
        if (!gaps.isEmpty()) {
            if (missing == MissingOffsets.FAIL) {
                throw failure(gaps);
            }
            LOG.warn("Goes on at the {} offsets instead of missing ones: {}", missing, gaps);
        }
        return new Resolved(resolved, skipped);
    }

    private String skipped(TopicOffsets topic, KafkaPartitionSplit split, long wanted, long start) {
        boolean isCounted = !topic.isAnew(split) && wanted <= topic.end(split.getTopicPartition());
        return "The partition %s goes on at offset %d instead of %d%s, as moe.source.missing-offsets (%s) allows."
                .formatted(
                        split.getTopicPartition(),
                        start,
                        wanted,
                        isCounted
                                ? ": %d records are skipped".formatted(start - wanted)
                                : ": the topic was created anew",
                        missing);
    }

    /**
     * The failure of a running consumer that retention has overtaken, or whose topic was created
     * anew. If other positions are allowed, the job restarts and {@link #resolve} finds them.
     *
     * @param positions the offsets that it could not read
     * @param topicIds the ids of the topics of its splits
     */
    RuntimeException overtaken(
            Map<TopicPartition, Long> positions, Map<TopicPartition, Uuid> topicIds) {
        List<String> gaps = new ArrayList<>();
        try (TopicOffsets topic = new TopicOffsets(properties, positions.keySet())) {
            positions.forEach(
                    (partition, position) -> {
                        Uuid id = topicIds.getOrDefault(partition, Uuid.ZERO_UUID);
                        KafkaPartitionSplit split = new KafkaPartitionSplit(partition, position);
                        gaps.add(topic.gap(new TopicSplit(split, id), position));
                    });
        }
        if (missing == MissingOffsets.FAIL) {
            return new SuppressRestartsException(failure(gaps));
        }
        return new FlinkRuntimeException(
                "the topic no longer has the records that this job has to read next: %s; the job goes on at its %s offsets"
                        .formatted(String.join("; ", gaps), missing));
    }

    private static MissingOffsetsException failure(List<String> gaps) {
        return new MissingOffsetsException(
                "the topic no longer has the records that this job has to read next: "
                        + String.join("; ", gaps)
                        + ". Restore a state whose offsets exist, or set moe.source.missing-offsets"
                        + " to earliest or latest to go on without these records");
    }

    private static Set<TopicPartition> partitions(List<KafkaPartitionSplit> splits) {
        return splits.stream()
                .map(KafkaPartitionSplit::getTopicPartition)
                .collect(Collectors.toSet());
    }

    private static Set<Long> starts(List<KafkaPartitionSplit> splits) {
        return splits.stream()
                .map(KafkaPartitionSplit::getStartingOffset)
                .collect(Collectors.toSet());
    }
}
