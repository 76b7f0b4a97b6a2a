// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.schemas.ScoredToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads the committed results of the job into {@link DemoResults}. */
@Internal
public final class ResultReader implements AutoCloseable {

    private static final Duration POLL = Duration.ofMillis(100);
    private static final Duration DRAIN_TIMEOUT = Duration.ofMinutes(1);

    private final String brokers;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final List<TopicPartition> partitions;
    private final String deadLetterTopic;
    private final BinaryMessageDecoder<ScoredToken> decoder = ScoredToken.getDecoder();
    private final DemoResults results;

    public ResultReader(
            String brokers, String scoredTopic, String deadLetterTopic, DemoResults results) {
        this.brokers = brokers;
        this.deadLetterTopic = deadLetterTopic;
        this.results = results;
        consumer = consumer("read_committed");
        partitions =
                Stream.of(scoredTopic, deadLetterTopic)
                        .flatMap(topic -> consumer.partitionsFor(topic).stream())
                        .map(info -> new TopicPartition(info.topic(), info.partition()))
                        .toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
    }

    private KafkaConsumer<byte[], byte[]> consumer(String isolation) {
        return new KafkaConsumer<>(
                Map.of(
                        ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
                        brokers,
                        ConsumerConfig.ISOLATION_LEVEL_CONFIG,
                        isolation),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer());
    }

    /** Reads the available records. It waits for at most a tenth of a second. */
    public void poll() {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
            if (record.topic().equals(deadLetterTopic)) {
                results.deadLetter();
            } else {
                results.scored(decoded(record), record.timestamp(), System.currentTimeMillis());
            }
        }
    }

    /** Reads to the end of the topics, to detect duplicated answers. */
    public void drain() throws IOException {
        Map<TopicPartition, Long> ends;
        try (KafkaConsumer<byte[], byte[]> all = consumer("read_uncommitted")) {
            ends = all.endOffsets(partitions);
        }
        long deadline = System.nanoTime() + DRAIN_TIMEOUT.toNanos();
        while (ends.entrySet().stream()
                .anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
            if (System.nanoTime() > deadline) {
                throw new IOException(
                        ("The end of the topics was not reached within %d s: a transaction"
                                        + " may still be open.")
                                .formatted(DRAIN_TIMEOUT.toSeconds()));
            }
            poll();
        }
    }

    @Override
    public void close() {
        consumer.close();
    }

    private ScoredToken decoded(ConsumerRecord<byte[], byte[]> record) {
        try {
            return decoder.decode(record.value());
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "%s-%d, offset %d is not a scored token"
                            .formatted(record.topic(), record.partition(), record.offset()),
                    e);
        }
    }
}
