// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.kafka.common.TopicPartition;

/**
 * Where to start partitions that the source has not read yet: an offset, or a mark that {@link
 * SplitOffsets} replaces by an offset.
 */
@Internal
@SuppressWarnings("deprecation") // OffsetResetStrategy: the connector accepts no other type.
record StartingOffsets(StartPosition start) implements OffsetsInitializer {

    @Override
    public Map<TopicPartition, Long> getPartitionOffsets(
            Collection<TopicPartition> partitions, PartitionOffsetsRetriever retriever) {
        return switch (start) {
            case EARLIEST -> all(partitions, KafkaPartitionSplit.EARLIEST_OFFSET);
            case LATEST -> retriever.endOffsets(partitions);
            case COMMITTED -> all(partitions, KafkaPartitionSplit.COMMITTED_OFFSET);
        };
    }

    private static Map<TopicPartition, Long> all(Collection<TopicPartition> partitions, long mark) {
        Map<TopicPartition, Long> marks = new HashMap<>();
        partitions.forEach(partition -> marks.put(partition, mark));
        return marks;
    }

    /** Kafka's consumer would jump to other records and say nothing. */
    @Override
    public OffsetResetStrategy getAutoOffsetResetStrategy() {
        return OffsetResetStrategy.NONE;
    }
}
