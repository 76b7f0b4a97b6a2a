// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Writes and reads bytes, for tests. */
public final class TestTopics {

    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private TestTopics() {}

    public static KafkaProducer<byte[], byte[]> producer(String brokers) {
        return producer(brokers, Map.of());
    }

    public static KafkaProducer<byte[], byte[]> producer(
            String brokers, Map<String, Object> settings) {
        Map<String, Object> config = new HashMap<>(settings);
        config.put("bootstrap.servers", brokers);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /**
     * All that a read_committed consumer finds, up to the present end of each partition: it waits
     * for the end of open transactions, since they end a moment after their writer was told so.
     */
    public static List<ConsumerRecord<byte[], byte[]>> readCommitted(String brokers, String topic) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(brokers, "read_committed");
                KafkaConsumer<byte[], byte[]> all = consumer(brokers, "read_uncommitted")) {
            List<TopicPartition> partitions =
                    consumer.partitionsFor(topic).stream()
                            .map(info -> new TopicPartition(topic, info.partition()))
                            .toList();
            consumer.assign(partitions);
            Map<TopicPartition, Long> ends = all.endOffsets(partitions);
            long deadline = System.nanoTime() + TIMEOUT.toNanos();
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                assertThat(System.nanoTime()).as("time to read %s", topic).isLessThan(deadline);
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            }
        }
        return records;
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String brokers, String isolation) {
        return consumer(
                Map.of(
                        "bootstrap.servers", brokers,
                        "isolation.level", isolation,
                        "auto.offset.reset", "earliest"));
    }

    private static KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> config) {
        return new KafkaConsumer<>(
                config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Up to where a consumer group says that it has read a partition; -1 if it says nothing. */
    public static long committed(String brokers, String group, TopicPartition partition) {
        try (KafkaConsumer<byte[], byte[]> consumer =
                consumer(Map.of("bootstrap.servers", brokers, "group.id", group))) {
            OffsetAndMetadata offset = consumer.committed(Set.of(partition)).get(partition);
            return offset == null ? -1 : offset.offset();
        }
    }
}
