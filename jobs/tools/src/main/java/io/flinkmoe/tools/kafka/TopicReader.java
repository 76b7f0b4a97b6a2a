// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.kafka;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads a topic once: all committed records from its beginning to its current end. */
@Internal
public final class TopicReader {

    private static final Duration POLL = Duration.ofMillis(100);
    private static final Duration TIMEOUT = Duration.ofMinutes(1);

    private TopicReader() {}

    /** Processes a record. */
    public interface Action {
        void accept(ConsumerRecord<byte[], byte[]> record) throws IOException;
    }

    /** Receives the number of records that were read so far, and the number of all records. */
    public interface Watcher {
        void onRead(long records, long all);
    }

    /**
     * Reads the records that are committed now.
     *
     * @param client the properties of the Kafka client
     * @param action receives the records; those of a partition are in order
     * @throws IOException if the brokers send nothing for a minute, or if the action throws an
     *     exception
     */
    public static void forEach(Properties client, String topic, Action action, Watcher watcher)
            throws IOException {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(client, "read_committed")) {
            List<TopicPartition> partitions = partitions(consumer, topic);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> begins = consumer.beginningOffsets(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long all = sum(ends) - sum(begins);
            long deadline = System.nanoTime() + TIMEOUT.toNanos();
            long done = 0;
            while (done < all) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    // Records that were written later are ignored.
                    if (record.offset() < ends.get(new TopicPartition(topic, record.partition()))) {
                        action.accept(record);
                    }
                }
                long before = done;
                done = 0;
                for (TopicPartition partition : partitions) {
                    long reached = Math.min(consumer.position(partition), ends.get(partition));
                    done += reached - begins.get(partition);
                }
                watcher.onRead(done, all);
                if (done > before) {
                    deadline = System.nanoTime() + TIMEOUT.toNanos();
                } else if (System.nanoTime() > deadline) {
                    throw new IOException(
                            "the brokers sent nothing from the topic %s for %d s"
                                    .formatted(topic, TIMEOUT.toSeconds()));
                }
            }
        }
    }

    /** The end offsets of all records, committed or not, summed over the partitions. */
    public static long end(Properties client, String topic) {
        return end(client, topic, "read_uncommitted");
    }

    /**
     * The number of records that read_committed readers do not see, because a transaction is still
     * open.
     */
    public static long open(Properties client, String topic) {
        return end(client, topic) - end(client, topic, "read_committed");
    }

    private static long end(Properties client, String topic, String isolation) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(client, isolation)) {
            return sum(consumer.endOffsets(partitions(consumer, topic)));
        }
    }

    private static KafkaConsumer<byte[], byte[]> consumer(Properties client, String isolation) {
        Properties settings = new Properties();
        settings.putAll(client);
        settings.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, isolation);
        settings.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        return new KafkaConsumer<>(
                settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static List<TopicPartition> partitions(
            KafkaConsumer<byte[], byte[]> consumer, String topic) {
        return consumer.partitionsFor(topic).stream()
                .map(info -> new TopicPartition(topic, info.partition()))
                .toList();
    }

    private static long sum(Map<TopicPartition, Long> offsets) {
        return offsets.values().stream().mapToLong(Long::longValue).sum();
    }
}
