// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.util.FlinkRuntimeException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;

/** The offsets that partitions have now, as the brokers report them. */
@Internal
final class TopicOffsets implements AutoCloseable {

    private final Properties properties;
    private final Set<TopicPartition> partitions;
    private final Admin admin;
    private final Map<TopicPartition, Long> earliest;
    private final Map<TopicPartition, Long> end;

    /**
     * @param properties the properties of the consumer
     * @throws FlinkRuntimeException if the brokers do not report the offsets
     */
    TopicOffsets(Properties properties, Set<TopicPartition> partitions) {
        this.properties = properties;
        this.partitions = partitions;
        this.admin = Admin.create(properties);
        try {
            earliest = list(OffsetSpec.earliest());
            end = list(OffsetSpec.latest());
        } catch (RuntimeException e) {
            admin.close();
            throw e;
        }
    }

    /** Whether reading can go on at an offset, which may be the end. */
    boolean has(TopicPartition partition, long offset) {
        return offset >= earliest.get(partition) && offset <= end.get(partition);
    }

    long earliest(TopicPartition partition) {
        return earliest.get(partition);
    }

    long end(TopicPartition partition) {
        return end.get(partition);
    }

    /** Describes a missing offset. */
    String gap(TopicPartition partition, long wanted) {
        return "%s at offset %d (the topic has the offsets from %d to %d)"
                .formatted(partition, wanted, earliest.get(partition), end.get(partition));
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
