package io.flinkmoe.jobs.kafka;

import io.flinkmoe.schemas.TokenDecision;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.avro.message.MessageDecoder;
import org.apache.avro.message.RawMessageDecoder;
import org.apache.avro.specific.SpecificData;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * What one reading of the decision log has found of a token, and what it has met on the way: all
 * that is committed, from the topic's beginning to its end when the reading began.
 */
public final class DecisionLog {

    private static final Duration POLL = Duration.ofMillis(100);
    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final int NAMED_STREAMS = 5;

    private final ReadableConfig options;
    private final String topic;
    private final MessageDecoder<TokenDecision> decoder;
    private final String stream;
    private final long position;

    private final List<TokenDecision> found = new ArrayList<>();
    private final Set<String> otherStreams = new LinkedHashSet<>();
    private long decisions;
    private long unreadable;
    private long ofStream;
    private long first = Long.MAX_VALUE;
    private long last = Long.MIN_VALUE;

    /** Told, again and again, how many of the topic's records are behind. */
    public interface Watcher {
        void onRead(long records, long all);
    }

    private DecisionLog(ReadableConfig options, String stream, long position) {
        this.options = options;
        this.topic = options.get(KafkaOptions.DECISION_LOG_TOPIC);
        this.stream = stream;
        this.position = position;
        this.decoder =
                options.get(KafkaOptions.FORMAT) == KafkaOptions.Format.RAW
                        ? new RawMessageDecoder<>(
                                SpecificData.getForClass(TokenDecision.class),
                                TokenDecision.getClassSchema())
                        : TokenDecision.getDecoder();
    }

    /**
     * Reads the log.
     *
     * @param options brokers, their properties, the topic of the log and the format of its records
     * @param stream the stream of the token looked for
     * @param position its place there
     * @throws IOException if the brokers do not answer, the topic is not there or cannot be read
     */
    public static DecisionLog read(
            ReadableConfig options, String stream, long position, Watcher watcher)
            throws IOException {
        KafkaPreflight.checkTopic(options, KafkaOptions.DECISION_LOG_TOPIC);
        DecisionLog log = new DecisionLog(options, stream, position);
        try (KafkaConsumer<byte[], byte[]> consumer = log.consumer()) {
            log.readAll(consumer, watcher);
        } catch (KafkaException e) {
            throw new IOException(
                    "the topic %s at %s cannot be read: %s"
                            .formatted(
                                    log.topic, options.get(KafkaOptions.BROKERS), e.getMessage()),
                    e);
        }
        return log;
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Properties settings = KafkaOptions.clientProperties(options);
        settings.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        settings.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        return new KafkaConsumer<>(
                settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private void readAll(KafkaConsumer<byte[], byte[]> consumer, Watcher watcher)
            throws IOException {
        List<TopicPartition> partitions =
                consumer.partitionsFor(topic).stream()
                        .map(info -> new TopicPartition(topic, info.partition()))
                        .toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        Map<TopicPartition, Long> begins = consumer.beginningOffsets(partitions);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        long all = sum(ends) - sum(begins);
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        long behind = 0;
        while (behind < all) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                // What was written since is not part of it.
                if (record.offset() < ends.get(new TopicPartition(topic, record.partition()))) {
                    take(record.value());
                }
            }
            long before = behind;
            behind = 0;
            for (TopicPartition partition : partitions) {
                long reached = Math.min(consumer.position(partition), ends.get(partition));
                behind += reached - begins.get(partition);
            }
            watcher.onRead(behind, all);
            if (behind > before) {
                deadline = System.nanoTime() + PATIENCE.toNanos();
            } else if (System.nanoTime() > deadline) {
                throw new IOException(
                        "the brokers have sent nothing of the topic %s for %d s"
                                .formatted(topic, PATIENCE.toSeconds()));
            }
        }
    }

    private static long sum(Map<TopicPartition, Long> offsets) {
        return offsets.values().stream().mapToLong(Long::longValue).sum();
    }

    private void take(byte[] value) {
        TokenDecision decision;
        try {
            decision = decoder.decode(value);
        } catch (IOException | RuntimeException e) {
            // Whatever lies in the topic: bytes that are no decision make Avro throw many things.
            unreadable++;
            return;
        }
        decisions++;
        if (!decision.getStream().equals(stream)) {
            if (otherStreams.size() < NAMED_STREAMS) {
                otherStreams.add(decision.getStream());
            }
            return;
        }
        ofStream++;
        first = Math.min(first, decision.getPosition());
        last = Math.max(last, decision.getPosition());
        if (decision.getPosition() == position) {
            found.add(decision);
        }
    }

    /** The entries of the token: more than one where the log was written at least once. */
    public List<TokenDecision> found() {
        return found;
    }

    /** What the log holds, for someone who looked for a token that it does not. */
    public String summary() {
        String read =
                "Of %s it holds %s"
                        .formatted(
                                stream,
                                ofStream == 0
                                        ? "nothing"
                                        : "%,d, from position %d to %d"
                                                .formatted(ofStream, first, last));
        if (!otherStreams.isEmpty()) {
            read +=
                    "; of other streams %,d: %s%s"
                            .formatted(
                                    decisions - ofStream,
                                    String.join(", ", otherStreams),
                                    otherStreams.size() == NAMED_STREAMS ? ", ..." : "");
        }
        if (unreadable > 0) {
            read +=
                    "; %,d records are no decisions: is it the log's topic, and is %s right?"
                            .formatted(unreadable, KafkaOptions.FORMAT.key());
            return read;
        }
        return read + ".";
    }
}
