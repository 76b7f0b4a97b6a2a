package io.flinkmoe.jobs.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.schemas.DeadLetter;
import io.flinkmoe.schemas.ScoredToken;
import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.stream.MoeOptions;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScoringJobIT {

    private static final int GOOD = 10_000;
    private static final int BAD = 1_000;
    private static final int STREAMS = 50;
    private static final long START = 991_000_000_000L;

    @TempDir static Path dir;

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

    @Test
    void scoresEachGoodRecordOnceAndExplainsEachBadOneAlthoughItFailsOnTheWay() throws Exception {
        Path schema = Files.writeString(dir.resolve("nullable.avsc"), NULLABLE.toString());
        Configuration options = options("mixed", 3);
        options.set(KafkaOptions.SCHEMAS, List.of(schema.toString()));
        Map<Integer, Map<Long, String>> reasons = produceGoodAndBad("mixed-in");

        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(100));
        StreamExecutionEnvironment env = environment(2);
        ScoringJob.build(env, options)
                .scored()
                .process(new FailOnce())
                .uid("fail-once")
                .sinkTo(new DiscardingSink<>())
                .uid("discard");
        env.execute();

        assertThat(FailOnce.FAILED).isTrue();
        Map<String, Long> lastPosition = new HashMap<>();
        Set<String> seen = new HashSet<>();
        for (ConsumerRecord<byte[], byte[]> record : read("mixed-out")) {
            ScoredToken token = ScoredToken.fromByteBuffer(ByteBuffer.wrap(record.value()));
            assertThat(seen.add(token.getStream() + "#" + token.getPosition())).isTrue();
            Long last = lastPosition.put(token.getStream(), token.getPosition());
            assertThat(token.getPosition()).isGreaterThan(last == null ? -1 : last);
            assertThat(record.key()).isEqualTo(token.getStream().getBytes(UTF_8));
            assertThat(token.getValues()).hasSize(1);
            assertThat(token.getValues().get(0)).isBetween(0f, 1f);
            assertThat(token.getLayers().get(0).getChoices()).hasSize(2);
        }
        assertThat(seen).hasSize(GOOD);

        Map<Integer, Map<Long, String>> found = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : read("mixed-dead")) {
            DeadLetter letter = DeadLetter.fromByteBuffer(ByteBuffer.wrap(record.value()));
            assertThat(letter.getTopic()).isEqualTo("mixed-in");
            String before =
                    found.computeIfAbsent(letter.getPartition(), p -> new HashMap<>())
                            .put(letter.getOffset(), withoutInstants(letter.getReason()));
            assertThat(before).as("the same record twice").isNull();
        }
        assertThat(found).isEqualTo(reasons);
        assertThat(found.values().stream().mapToInt(Map::size).sum()).isEqualTo(BAD);
    }

    @Test
    void readsAndWritesRawAvro() throws Exception {
        Configuration options = options("raw", 1);
        options.set(KafkaOptions.FORMAT, KafkaOptions.Format.RAW);
        options.set(KafkaOptions.SINK_DELIVERY, KafkaOptions.Delivery.AT_LEAST_ONCE);
        Random random = new Random(2);
        TokenEncoder encoder = TokenEncoder.raw();
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            for (int i = 0; i < 100; i++) {
                byte[] value = encoder.encode("s", i, START + i, FlightsBundle.features(random));
                producer.send(new ProducerRecord<>("raw-in", value));
            }
        }

        run(options, 2);

        SpecificDatumReader<ScoredToken> reader = new SpecificDatumReader<>(ScoredToken.class);
        List<Long> positions = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : read("raw-out")) {
            positions.add(
                    reader.read(null, DecoderFactory.get().binaryDecoder(record.value(), null))
                            .getPosition());
        }
        assertThat(positions).hasSize(100).isSorted();
    }

    @Test
    void namesEveryMissingTopic() throws IOException {
        Configuration options = options("missing", 1);
        options.set(KafkaOptions.SOURCE_TOPIC, "nobody-made-this");
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, "nor-this");

        assertThatThrownBy(() -> build(options))
                .isInstanceOf(IOException.class)
                .hasMessage(
                        "at the brokers %s the topic nobody-made-this (moe.source.topic) does not"
                                + " exist, the topic nor-this (moe.dead-letter.topic) does not"
                                + " exist; create what is missing, or correct the option",
                        broker.bootstrapServers());
    }

    @Test
    void refusesTransactionsLongerThanTheBrokerAllows() throws IOException {
        Configuration options = options("long", 1);
        options.set(KafkaOptions.SINK_TRANSACTION_TIMEOUT, Duration.ofHours(1));

        assertThatThrownBy(() -> build(options))
                .isInstanceOf(IOException.class)
                .hasMessage(
                        "moe.sink.transaction-timeout is 3600000 ms, but the brokers %s allow"
                                + " transaction.max.timeout.ms=900000: lower the one or raise the other",
                        broker.bootstrapServers());
    }

    @Test
    void refusesBatchMode() throws IOException {
        Configuration options = options("batch", 1);
        options.set(ExecutionOptions.RUNTIME_MODE, RuntimeExecutionMode.BATCH);

        assertThatThrownBy(() -> build(options))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("execution.runtime-mode is BATCH");
    }

    @Test
    void saysSoonThatNobodyListens() throws IOException {
        int port;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
        assertDoesNotAnswer("127.0.0.1:" + port);
    }

    @Test
    void saysSoonThatAListenerIsSilent() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            assertDoesNotAnswer("127.0.0.1:" + socket.getLocalPort());
        }
    }

    @Test
    void saysAtOnceThatAHostIsUnknown() throws IOException {
        assertDoesNotAnswer("no-such-host.invalid:9092");
    }

    private static void assertDoesNotAnswer(String brokers) {
        Configuration options = new Configuration();
        options.set(KafkaOptions.BROKERS, brokers);
        options.set(KafkaOptions.SOURCE_TOPIC, "in");
        options.set(KafkaOptions.SINK_TOPIC, "out");
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, "dead");
        options.set(MoeOptions.BUNDLE, bundle.toString());
        long start = System.nanoTime();

        assertThatThrownBy(() -> build(options))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("the Kafka brokers " + brokers + " do not answer")
                .hasMessageContaining("check moe.kafka.brokers");
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(15));
    }

    /** Eight kinds of bad records, shuffled among the good; gives the reason by origin. */
    private static Map<Integer, Map<Long, String>> produceGoodAndBad(String topic)
            throws Exception {
        Random random = new Random(1);
        List<Boolean> order = new ArrayList<>(Collections.nCopies(GOOD, true));
        order.addAll(Collections.nCopies(BAD, false));
        Collections.shuffle(order, random);
        List<Map.Entry<String, byte[]>> kinds = badRecords(random);
        TokenEncoder encoder = TokenEncoder.singleObject();
        Map<Future<RecordMetadata>, String> sent = new LinkedHashMap<>();
        int good = 0;
        int bad = 0;
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            for (boolean isGood : order) {
                if (isGood) {
                    String stream = "stream-" + good % STREAMS;
                    float[] values = FlightsBundle.features(random);
                    byte[] value = encoder.encode(stream, good, START + good, values);
                    producer.send(new ProducerRecord<>(topic, stream.getBytes(UTF_8), value));
                    good++;
                } else {
                    Map.Entry<String, byte[]> kind = kinds.get(bad++ % kinds.size());
                    sent.put(
                            producer.send(new ProducerRecord<>(topic, kind.getValue())),
                            kind.getKey());
                }
            }
        }
        Map<Integer, Map<Long, String>> reasons = new HashMap<>();
        for (Map.Entry<Future<RecordMetadata>, String> record : sent.entrySet()) {
            RecordMetadata origin = record.getKey().get();
            reasons.computeIfAbsent(origin.partition(), p -> new HashMap<>())
                    .put(origin.offset(), record.getValue());
        }
        return reasons;
    }

    /** A value by its reason. */
    private static List<Map.Entry<String, byte[]>> badRecords(Random random) throws IOException {
        TokenEncoder encoder = TokenEncoder.singleObject();
        float[] values = FlightsBundle.features(random);
        float[] nan = values.clone();
        nan[3] = Float.NaN;
        float[] infinite = values.clone();
        infinite[0] = Float.NEGATIVE_INFINITY;
        byte[] good = encoder.encode("s", 1, START, values);
        long ahead = System.currentTimeMillis() + Duration.ofDays(1).toMillis();
        Map<String, byte[]> kinds = new LinkedHashMap<>();
        kinds.put(
                "values has 9 entries; the model takes 10",
                encoder.encode("s", 1, START, Arrays.copyOf(values, 9)));
        kinds.put(
                "values[3] is NaN; only finite values are allowed",
                encoder.encode("s", 1, START, nan));
        kinds.put(
                "values[0] is -Infinity; only finite values are allowed",
                encoder.encode("s", 1, START, infinite));
        kinds.put("stream is null", withoutStream(values));
        kinds.put(
                "not Avro single-object encoding: starts with 7B 22",
                "{\"stream\": \"s\"}".getBytes(UTF_8));
        kinds.put("ends in the middle of `values`", Arrays.copyOf(good, good.length - 6));
        kinds.put(
                "timestamp * is more than 3600 s beyond its record's, *",
                encoder.encode("s", 1, ahead, values));
        kinds.put("the record has no value (a tombstone)", null);
        return new ArrayList<>(kinds.entrySet());
    }

    private static String withoutInstants(String reason) {
        return reason.replaceAll("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "*");
    }

    private static final Schema NULLABLE =
            new Schema.Parser()
                    .parse(
                            """
                            {"type": "record", "name": "MaybeToken", "fields": [
                              {"name": "values", "type": {"type": "array", "items": "float"}},
                              {"name": "stream", "type": ["null", "string"]},
                              {"name": "position", "type": "long"},
                              {"name": "timestamp", "type": "long"}
                            ]}
                            """);

    private static byte[] withoutStream(float[] values) throws IOException {
        List<Float> boxed = new ArrayList<>();
        for (float value : values) {
            boxed.add(value);
        }
        GenericRecord record = new GenericData.Record(NULLABLE);
        record.put("values", boxed);
        record.put("position", 1L);
        record.put("timestamp", START);
        ByteBuffer bytes =
                new BinaryMessageEncoder<GenericRecord>(GenericData.get(), NULLABLE).encode(record);
        return Arrays.copyOfRange(bytes.array(), bytes.arrayOffset(), bytes.limit());
    }

    /** Options of a job between three new topics that begin with the given name. */
    private static Configuration options(String name, int partitions) throws IOException {
        for (String topic : List.of(name + "-in", name + "-out", name + "-dead")) {
            broker.createTopic(topic, partitions);
        }
        Configuration options = new Configuration();
        options.set(KafkaOptions.BROKERS, broker.bootstrapServers());
        options.set(KafkaOptions.SOURCE_TOPIC, name + "-in");
        options.set(KafkaOptions.SOURCE_STOP, KafkaOptions.Stop.LATEST);
        options.set(KafkaOptions.SINK_TOPIC, name + "-out");
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, name + "-dead");
        options.set(MoeOptions.BUNDLE, bundle.toString());
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(500));
        return options;
    }

    private static void build(Configuration options) throws IOException {
        ScoringJob.build(environment(1), options);
    }

    private static void run(Configuration options, int parallelism) throws Exception {
        StreamExecutionEnvironment env = environment(parallelism);
        ScoringJob.build(env, options);
        env.execute();
    }

    private static StreamExecutionEnvironment environment(int parallelism) {
        return StreamExecutionEnvironment.createLocalEnvironment(parallelism, new Configuration());
    }

    private static KafkaProducer<byte[], byte[]> producer() {
        return TestTopics.producer(broker.bootstrapServers());
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(String topic) {
        return TestTopics.readCommitted(broker.bootstrapServers(), topic);
    }

    /** Fails the job, once, on the way through the tokens. */
    private static final class FailOnce
            extends ProcessFunction<io.flinkmoe.stream.ScoredToken, Integer> {

        private static final long serialVersionUID = 1L;
        private static final AtomicBoolean FAILED = new AtomicBoolean();

        private int seen;

        @Override
        public void processElement(
                io.flinkmoe.stream.ScoredToken token, Context context, Collector<Integer> out) {
            if (++seen == GOOD / 4 && FAILED.compareAndSet(false, true)) {
                throw new IllegalStateException("fails once, as this test wants");
            }
        }
    }
}
