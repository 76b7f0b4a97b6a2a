package io.flinkmoe.jobs;

import io.flinkmoe.schemas.TokenDecision;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.avro.message.MessageDecoder;
import org.apache.avro.message.RawMessageDecoder;
import org.apache.avro.specific.SpecificData;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Finds a token in the decision log, and tells why it went where it went. */
@Command(
        name = "explain",
        description = {
            "Tell why a token went where it went.",
            "",
            "Reads the decision log, which a scoring job writes with --decision-log.topic, from its"
                    + " beginning to its present end, as far as it is committed."
        },
        footer = {
            "  moe explain --kafka.brokers localhost:9092 --decision-log.topic decisions \\",
            "              --stream LAS --position 17"
        })
final class ExplainCommand implements Callable<Integer> {

    private static final Duration POLL = Duration.ofMillis(100);
    private static final Duration PATIENCE = Duration.ofMinutes(1);

    @Spec private CommandSpec spec;

    @Option(
            names = "--kafka.brokers",
            paramLabel = "BROKERS",
            required = true,
            description = "Kafka brokers to ask first: host:port, separated by commas.")
    private String brokers;

    @Option(
            names = "--kafka.properties",
            paramLabel = "KEY=VALUE",
            split = ";",
            description = "Further settings of the Kafka consumer, as for moe score.")
    private Map<String, String> properties = Map.of();

    @Option(
            names = "--decision-log.topic",
            paramLabel = "TOPIC",
            required = true,
            description = "The topic of the decision log.")
    private String topic;

    @Option(
            names = "--raw",
            description = "The log is bare Avro: the job ran with --kafka.format raw.")
    private boolean raw;

    @Option(names = "--stream", required = true, description = "The token's stream.")
    private String stream;

    @Option(names = "--position", required = true, description = "Its place there.")
    private long position;

    @Override
    public Integer call() throws IOException {
        List<TokenDecision> found = find();
        if (found.isEmpty()) {
            throw new IOException(
                    "The topic %s has no entry for position %d of stream %s. Is the token scored and committed, and was the job started with --decision-log.topic?"
                            .formatted(topic, position, stream));
        }
        PrintWriter out = spec.commandLine().getOut();
        found.forEach(decision -> out.println(new Explanation(decision)));
        out.flush();
        return 0;
    }

    private List<TokenDecision> find() throws IOException {
        MessageDecoder<TokenDecision> decoder =
                raw
                        ? new RawMessageDecoder<>(
                                SpecificData.getForClass(TokenDecision.class),
                                TokenDecision.getClassSchema())
                        : TokenDecision.getDecoder();
        List<TokenDecision> found = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            List<TopicPartition> partitions =
                    consumer.partitionsFor(topic).stream()
                            .map(info -> new TopicPartition(topic, info.partition()))
                            .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (ends.entrySet().stream()
                    .anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    TokenDecision decision = decoder.decode(record.value());
                    if (decision.getPosition() == position && decision.getStream().equals(stream)) {
                        found.add(decision);
                    }
                    deadline = System.nanoTime() + PATIENCE.toNanos();
                }
                if (System.nanoTime() > deadline) {
                    throw new IOException(
                            "The brokers have sent nothing of the topic %s for %d s"
                                    .formatted(topic, PATIENCE.toSeconds()));
                }
            }
        } catch (KafkaException e) {
            throw new IOException(
                    "The topic %s at %s cannot be read: %s"
                            .formatted(topic, brokers, e.getMessage()),
                    e);
        }
        return found;
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Map<String, Object> settings = new HashMap<>(properties);
        settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        settings.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        settings.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        return new KafkaConsumer<>(
                settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }
}
