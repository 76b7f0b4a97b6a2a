// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.util.FlinkRuntimeException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** The ids of topics and the offsets of partitions now, as the brokers report them. */
@Internal
final class TopicOffsets implements AutoCloseable {

    private final Properties properties;
    private final Admin admin;
    private final Map<String, TopicDescription> topics = new HashMap<>();
    private final Set<TopicPartition> partitions;
    private final Map<TopicPartition, Long> earliest;
    private final Map<TopicPartition, Long> end;

    /**
     * @param properties the properties of the consumer
     * @throws FlinkRuntimeException if the brokers do not report the offsets
     */
    TopicOffsets(Properties properties, Set<TopicPartition> partitions) {
        this.properties = properties;
        this.admin = Admin.create(properties);
        try {
            partitions.stream().map(TopicPartition::topic).distinct().forEach(this::describe);
            // Asked for a partition that does not exist, the client would ask for ever.
            this.partitions = partitions.stream().filter(this::exists).collect(Collectors.toSet());
            earliest = list(OffsetSpec.earliest());
            end = list(OffsetSpec.latest());
        } catch (RuntimeException e) {
            admin.close();
            throw e;
        }
    }

    /** Whether the topic has a partition. */
    boolean exists(TopicPartition partition) {
        return topics.get(partition.topic()).partitions().stream()
                .anyMatch(found -> found.partition() == partition.partition());
    }

    /** Whether reading can go on at an offset, which may be the end. */
    boolean has(KafkaPartitionSplit split, long offset) {
        TopicPartition partition = split.getTopicPartition();
        return !isAnew(split) && offset >= earliest.get(partition) && offset <= end.get(partition);
    }

    /** Whether the topic has been created anew since the split's offset was read. */
    boolean isAnew(KafkaPartitionSplit split) {
        Uuid before = TopicSplit.topicId(split);
        Uuid now = id(split.getTopicPartition());
        // Brokers before 2.8 have no ids.
        return !before.equals(Uuid.ZERO_UUID) && !now.equals(Uuid.ZERO_UUID) && !before.equals(now);
    }

    /** The id of a partition's topic. */
    Uuid id(TopicPartition partition) {
        return topics.get(partition.topic()).topicId();
    }

    long earliest(TopicPartition partition) {
        return earliest.get(partition);
    }

    long end(TopicPartition partition) {
        return end.get(partition);
    }

    /** Describes a missing offset. */
    String gap(KafkaPartitionSplit split, long wanted) {
        TopicPartition partition = split.getTopicPartition();
        if (!exists(partition)) {
            return "%s at offset %d (the topic has only %d partitions now)"
                    .formatted(
                            partition, wanted, topics.get(partition.topic()).partitions().size());
        }
        String has =
                "the topic has the offsets from %d to %d"
                        .formatted(earliest.get(partition), end.get(partition));
        return "%s at offset %d (%s)"
                .formatted(
                        partition,
                        wanted,
                        isAnew(split)
                                ? "the topic was created anew: its id was %s and is %s; %s"
                                        .formatted(TopicSplit.topicId(split), id(partition), has)
                                : has);
    }

    /**
     * The offsets that marks stand for.
     *
     * @param marks negative starting offsets of {@link KafkaPartitionSplit}; others are ignored
     * @return for each mark the offset of each partition
     */
    Map<Long, Map<TopicPartition, Long>> marks(Set<Long> marks) {
        Map<Long, Map<TopicPartition, Long>> offsets = new HashMap<>();
        if (marks.contains(KafkaPartitionSplit.EARLIEST_OFFSET)) {
            offsets.put(KafkaPartitionSplit.EARLIEST_OFFSET, earliest);
        }
        if (marks.contains(KafkaPartitionSplit.COMMITTED_OFFSET)) {
            offsets.put(KafkaPartitionSplit.COMMITTED_OFFSET, committed());
        }
        return offsets;
    }

    @Override
    public void close() {
        admin.close();
    }

    private Map<TopicPartition, Long> committed() {
        String group = properties.getProperty(ConsumerConfig.GROUP_ID_CONFIG);
        Map<TopicPartition, OffsetAndMetadata> committed =
                get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
        Map<TopicPartition, Long> offsets = new HashMap<>(earliest);
        committed.forEach(
                (partition, offset) -> {
                    if (offset != null) {
                        offsets.put(partition, offset.offset());
                    }
                });
        return offsets;
    }

    private void describe(String topic) {
        try {
            topics.put(
                    topic, admin.describeTopics(Set.of(topic)).topicNameValues().get(topic).get());
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                throw new FlinkRuntimeException(
                        "the source topic %s does not exist".formatted(topic));
            }
            throw new FlinkRuntimeException(
                    "cannot describe the source topic " + topic, e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FlinkRuntimeException("interrupted while describing a topic", e);
        }
    }

    private Map<TopicPartition, Long> list(OffsetSpec spec) {
        Map<TopicPartition, OffsetSpec> specs = new HashMap<>();
        partitions.forEach(partition -> specs.put(partition, spec));
        Map<TopicPartition, Long> offsets = new HashMap<>();
        get(admin.listOffsets(specs).all())
                .forEach((partition, result) -> offsets.put(partition, result.offset()));
        return offsets;
    }

    private static <T> T get(KafkaFuture<T> future) {
        try {
            return future.get();
        } catch (ExecutionException e) {
            throw new FlinkRuntimeException(
                    "cannot read the offsets of the source topic", e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FlinkRuntimeException("interrupted while reading offsets", e);
        }
    }
}
