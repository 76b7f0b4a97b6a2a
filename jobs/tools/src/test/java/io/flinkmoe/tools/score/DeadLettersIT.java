// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.kafka.source.StartPosition;
import io.flinkmoe.schemas.DeadLetter;
import io.flinkmoe.schemas.Header;
import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.tools.Moe;
import io.flinkmoe.tools.flights.Flights;
import io.flinkmoe.tools.flights.FlightsBundle;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.kafka.TestTopics;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Records that cannot be scored, and what becomes of them. */
class DeadLettersIT {

    private static final Duration PATIENCE = Duration.ofMinutes(2);

    @TempDir private static Path dir;
    private static KafkaBroker broker;
    private static Path bundle;

    @BeforeAll
    static void start() throws IOException {
        broker = KafkaBroker.start(dir.resolve("kafka"));
        bundle = FlightsBundle.create(dir);
    }

    @AfterAll
    static void stop() {
        if (broker != null) {
            broker.close();
        }
    }

    /** A broker refuses records without a key on such topics, whatever else they hold. */
    @Test
    void allTopicsThatTheJobWritesCanBeCompacted() throws Exception {
        for (String topic : List.of("out", "dead", "decisions", "late")) {
            broker.createTopic("compact-" + topic, 2, Map.of("cleanup.policy", "compact"));
        }
        broker.createTopic("compact-in", 1, Map.of());
        Configuration options = options("compact");
        options.set(KafkaOptions.DECISION_LOG_TOPIC, "compact-decisions");
        options.set(KafkaOptions.LATE_TOPIC, "compact-late");
        options.setString("moe.capacity.policy", "fixed");
        options.setString("moe.capacity.size", "1000");
        options.setString("moe.capacity.window.size", "1 min");
        options.set(KafkaOptions.SOURCE_MAX_BEHIND, Flights.AGE); // The timestamps are of 1970.
        byte[] unreadable = unreadable();
        send("compact-in", "hello".getBytes(UTF_8), null, token(1, 10_000_000), unreadable);
        send("compact-in", token(2, 0)); // Late.
        send("compact-in", "hello".getBytes(UTF_8));

        TestJob.run(options, 1);

        assertThat(read("compact-out")).hasSize(1);
        assertThat(read("compact-decisions")).hasSize(1);
        assertThat(read("compact-late")).hasSize(1);
        List<String> keys = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : read("compact-dead")) {
            DeadLetter letter = DeadLetter.fromByteBuffer(ByteBuffer.wrap(record.value()));
            String key = new String(record.key(), UTF_8);
            assertThat(key)
                    .isEqualTo(
                            "%s-%d-%d",
                            letter.getTopic(), letter.getPartition(), letter.getOffset());
            keys.add(key + " " + letter.getKind());
        }
        assertThat(keys)
                .containsExactlyInAnyOrder(
                        "compact-in-0-0 malformed",
                        "compact-in-0-1 no-value",
                        "compact-in-0-3 model",
                        "compact-in-0-5 malformed");
    }

    @Test
    void aTombstoneKeepsItsKeyHeadersAndTimestampAndIsNotEmpty() throws Exception {
        Configuration options = TestJob.options(broker, bundle, "tombstone", 1);
        RecordHeaders headers = new RecordHeaders();
        headers.add("trace", new byte[] {1}).add("trace", null);
        byte[] key = "LAS".getBytes(UTF_8);
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers())) {
            producer.send(new ProducerRecord<>("tombstone-in", null, 991L, key, null, headers));
            producer.send(new ProducerRecord<>("tombstone-in", null, 992L, null, new byte[0]));
        }

        TestJob.run(options, 1);

        List<DeadLetter> letters = letters("tombstone-dead");
        assertThat(letters)
                .containsExactly(
                        new DeadLetter(
                                ByteBuffer.wrap(key),
                                null,
                                List.of(
                                        new Header("trace", ByteBuffer.wrap(new byte[] {1})),
                                        new Header("trace", null)),
                                Instant.ofEpochMilli(991),
                                "tombstone-in",
                                0,
                                0L,
                                "no-value",
                                "the record has no value (a tombstone)"),
                        new DeadLetter(
                                null,
                                ByteBuffer.allocate(0),
                                List.of(),
                                Instant.ofEpochMilli(992),
                                "tombstone-in",
                                0,
                                1L,
                                "empty-value",
                                "the record's value is empty (0 bytes)"));
    }

    @Test
    void lettersAreCutToWhatTheirTopicTakes() throws Exception {
        broker.createTopic("small-in", 1, Map.of());
        broker.createTopic("small-out", 1, Map.of());
        broker.createTopic("small-dead", 1, Map.of("max.message.bytes", "40000"));
        Configuration options = options("small");
        byte[][] junk = new byte[30][];
        for (int i = 0; i < junk.length; i++) {
            junk[i] = new byte[i % 2 == 0 ? 100_000 : 20_000];
            new Random(i).nextBytes(junk[i]);
        }
        send("small-in", junk);

        TestJob.run(options, 1);

        List<DeadLetter> letters = letters("small-dead");
        assertThat(letters).hasSize(30);
        assertThat(letters.get(0).getReason())
                .endsWith(
                        "; truncated to fit into a message (max.request.size, max.message.bytes): value to"
                                + " 23613 of 100000 bytes");
        assertThat(letters.get(1).getValue()).isEqualTo(ByteBuffer.wrap(junk[1]));
    }

    @Test
    void progressNamesTheReasonThoughNothingIsScored() throws Exception {
        for (String topic : List.of("framed-in", "framed-out", "framed-dead")) {
            broker.createTopic(topic, 1, Map.of());
        }
        byte[] token = TokenEncoder.raw().encode("LAS", 1, 2, new float[10]);
        byte[] framed = ByteBuffer.allocate(5 + token.length).putInt(1, 7).put(5, token).array();
        byte[][] records = new byte[1_000][];
        for (int i = 0; i < records.length; i++) {
            records[i] = framed;
        }
        send("framed-in", records);
        StringWriter out = new StringWriter();
        Thread score = score(out);

        try {
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (!out.toString().contains("rejected")) {
                assertThat(System.nanoTime()).as("time for a line").isLessThan(deadline);
                TimeUnit.MILLISECONDS.sleep(100);
            }
        } finally {
            score.interrupt();
            score.join(PATIENCE.toMillis());
        }

        assertThat(out.toString().lines())
                .anyMatch(
                        line ->
                                line.matches(
                                        "read ([0-9,]+)   scored 0   rejected \\1"
                                                + " \\(all: Confluent's wire format\\)"));
    }

    private static Thread score(StringWriter out) {
        CommandLine program = Moe.commandLine();
        program.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(out, true));
        Thread thread =
                new Thread(
                        () ->
                                program.execute(
                                        "score",
                                        "--bundle=" + bundle,
                                        "--kafka.brokers=" + broker.bootstrapServers(),
                                        "--source.topic=framed-in",
                                        "--source.start=earliest",
                                        "--sink.topic=framed-out",
                                        "--dead-letter.topic=framed-dead",
                                        "-D",
                                        "parallelism.default=1"));
        thread.start();
        return thread;
    }

    /** Options of a job between topics that begin with the given name. */
    private static Configuration options(String name) {
        Configuration options = new Configuration();
        options.set(KafkaOptions.BROKERS, broker.bootstrapServers());
        options.set(KafkaOptions.SOURCE_TOPIC, name + "-in");
        options.set(KafkaOptions.SOURCE_START, StartPosition.EARLIEST);
        options.set(KafkaOptions.SOURCE_STOP, KafkaOptions.Stop.LATEST);
        options.set(KafkaOptions.SINK_TOPIC, name + "-out");
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, name + "-dead");
        options.setString("moe.bundle", bundle.toString());
        options.setString("execution.checkpointing.interval", "500 ms");
        options.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        return options;
    }

    private static byte[] token(long position, long timestamp) {
        return TokenEncoder.singleObject()
                .encode("LAS", position, timestamp, FlightsBundle.features(new Random(position)));
    }

    /** A valid token of an airport that the encoder does not know. */
    private static byte[] unreadable() {
        float[] features = FlightsBundle.features(new Random(9));
        features[9] = 100_000;
        return TokenEncoder.singleObject().encode("LAS", 9, 10_000_000, features);
    }

    private static void send(String topic, byte[]... values) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers())) {
            for (byte[] value : values) {
                producer.send(new ProducerRecord<>(topic, "LAS".getBytes(UTF_8), value));
            }
        }
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(String topic) {
        return TestTopics.readCommitted(broker.bootstrapServers(), topic);
    }

    /** In the order of their offsets in the source. */
    private static List<DeadLetter> letters(String topic) throws IOException {
        List<DeadLetter> letters = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : read(topic)) {
            letters.add(DeadLetter.fromByteBuffer(ByteBuffer.wrap(record.value())));
        }
        letters.sort(Comparator.comparing(DeadLetter::getOffset));
        return letters;
    }
}
