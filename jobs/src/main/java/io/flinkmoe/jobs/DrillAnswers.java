package io.flinkmoe.jobs;

import io.flinkmoe.schemas.ScoredToken;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * What a job has committed to a topic.
 *
 * @param byStream the answers of each stream, in the order of its partition
 * @param open records behind a transaction that nobody has ended: no reader sees them
 */
record DrillAnswers(Map<String, List<ScoredToken>> byStream, long open) {

    private static final Duration POLL = Duration.ofMillis(100);
    private static final Duration TIMEOUT = Duration.ofMinutes(2);

    /** Reads all that is committed now. */
    static DrillAnswers read(String brokers, String topic) throws IOException {
        Map<String, List<ScoredToken>> byStream = new HashMap<>();
        BinaryMessageDecoder<ScoredToken> decoder = ScoredToken.getDecoder();
        long end =
                forEach(
                        brokers,
                        topic,
                        record -> {
                            ScoredToken answer = decoder.decode(record.value());
                            byStream.computeIfAbsent(answer.getStream(), s -> new ArrayList<>())
                                    .add(answer);
                        });
        return new DrillAnswers(byStream, end(brokers, topic) - end);
    }

    /** Counts the answers that are committed now, without a look at them. */
    static long count(String brokers, String topic) throws IOException {
        long[] count = new long[1];
        forEach(brokers, topic, record -> count[0]++);
        return count[0];
    }

    /** When the broker got each answer that is committed now, in milliseconds and in order. */
    static long[] times(String brokers, String topic) throws IOException {
        LongStream.Builder times = LongStream.builder();
        forEach(brokers, topic, record -> times.add(record.timestamp()));
        return times.build().sorted().toArray();
    }

    private interface Action {
        void accept(ConsumerRecord<byte[], byte[]> record) throws IOException;
    }

    /**
     * @return where the committed records end, summed over the partitions
     */
    private static long forEach(String brokers, String topic, Action action) throws IOException {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(brokers, "read_committed")) {
            List<TopicPartition> partitions = partitions(consumer, topic);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long deadline = System.nanoTime() + TIMEOUT.toNanos();
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                if (System.nanoTime() > deadline) {
                    throw new IOException("The answers in %s cannot be read".formatted(topic));
                }
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    action.accept(record);
                }
            }
            return sum(ends);
        }
    }

    /** Records in a topic, committed or not. */
    static long end(String brokers, String topic) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(brokers, "read_uncommitted")) {
            return sum(consumer.endOffsets(partitions(consumer, topic)));
        }
    }

    private static long sum(Map<TopicPartition, Long> offsets) {
        return offsets.values().stream().mapToLong(Long::longValue).sum();
    }

    private static List<TopicPartition> partitions(
            KafkaConsumer<byte[], byte[]> consumer, String topic) {
        return consumer.partitionsFor(topic).stream()
                .map(info -> new TopicPartition(topic, info.partition()))
                .toList();
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String brokers, String isolation) {
        return new KafkaConsumer<>(
                Map.of(
                        ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
                        brokers,
                        ConsumerConfig.ISOLATION_LEVEL_CONFIG,
                        isolation),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer());
    }
}
