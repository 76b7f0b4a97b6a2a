// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.registry;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import io.flinkmoe.MoeLayers;
import io.flinkmoe.MoeResult;
import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.kafka.TimestampRules;
import io.flinkmoe.kafka.TokenWatermarks;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.kafka.pinned.SavepointSchemas;
import io.flinkmoe.kafka.record.AnswerFields;
import io.flinkmoe.kafka.record.JsonAnswerSerializer;
import io.flinkmoe.kafka.record.RecordBinding;
import io.flinkmoe.kafka.record.RecordDeserializer;
import io.flinkmoe.kafka.record.RecordEncoding;
import io.flinkmoe.kafka.registry.Credentials;
import io.flinkmoe.kafka.registry.RegistrySettings;
import io.flinkmoe.kafka.source.TokenSource;
import io.flinkmoe.tools.flights.FlightsBundle;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.kafka.TestTopics;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A user's own records, nested, in JSON and in Avro with a registry: the same scores, also after
 * the schema has evolved and while the registry is away.
 */
class OwnRecordsIT {

    private static final int RECORDS = 10_000;
    private static final int FEATURES = 10;

    private static final Schema FIRST = schema("\"gone\"", "\"int\"");
    private static final Schema SECOND = schema("\"extra\"", "[\"null\", \"string\"]");

    /** What the job reads with: the first one, whose field that goes has a default. */
    private static final Schema READER = schema("\"gone\"", "\"int\", \"default\": 7");

    private static final PinnedSchemas PINNED =
            PinnedSchemas.NONE.with(
                    PinnedSchemas.VALUE,
                    new PinnedSchemas.Pinned(
                            READER.toString(), "this test", PinnedSchemas.Pinned.NO_ID));

    @TempDir static Path dir;

    private static KafkaBroker broker;
    private static ApicurioRegistry registry;
    private static RegistryGate gate;
    private static final Configuration OPTIONS = new Configuration();
    private static MoeLayers layers;

    @BeforeAll
    static void start() throws Exception {
        broker = KafkaBroker.start(dir.resolve("kafka"));
        registry = ApicurioRegistry.start(dir.resolve("registry"));
        gate = new RegistryGate(HttpServer.create(), registry.url());
        OPTIONS.set(MoeOptions.BUNDLE, FlightsBundle.create(dir).toString());
        layers = MoeLayers.builder(OPTIONS).build();
        // Its records have event times of 1970.
        broker.createTopic("answers", 2, Map.of("retention.ms", "-1"));
        for (String topic : List.of("avro", "json")) {
            broker.createTopic(topic, 2, Map.of());
        }
    }

    @AfterAll
    static void stop() throws Exception {
        for (AutoCloseable one : new AutoCloseable[] {gate, registry, broker}) {
            if (one != null) {
                one.close();
            }
        }
    }

    @Test
    void jsonAndEvolvingAvroHaveTheSameScoresAndTheRegistryMayGoAway() throws Exception {
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(2, new Configuration());
        env.configure(
                new Configuration()
                        .set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(200)));
        RegistrySettings settings =
                new RegistrySettings(
                        RegistrySettings.urls(List.of("http://" + gate.hostAndPort())),
                        Credentials.NONE,
                        null);
        RecordBinding binding =
                RecordBinding.ofStream("card.id")
                        .timestamp("at")
                        .position("n")
                        .feature(
                                layers.inputs().inputs().get(0).name(),
                                features().toArray(String[]::new));
        score(
                env,
                "avro",
                RecordDeserializer.of(
                        layers.inputs(), binding, RecordEncoding.registry(settings, READER)));
        AnswerFields keeping = AnswerFields.of(layers.outputs()).keep("n", "card.id");
        RecordDeserializer ofJson =
                RecordDeserializer.of(layers.inputs(), binding, RecordEncoding.json());
        MoeResult json = score(env, "json", ofJson.answers(keeping));
        answer(json, new JsonAnswerSerializer("answers", keeping, RecordKey.TOKEN));
        JobClient job = env.executeAsync();

        int first = register("avro-value", FIRST);
        send("json", 0, RECORDS, null, 0);
        send("avro", 0, RECORDS / 2, FIRST, first);
        await(() -> Scores.BY_TOPIC.get("avro").size() == RECORDS / 2);
        int second = register("avro-value", SECOND);
        assertThat(register("another-value", SECOND)).isEqualTo(second);
        gate.answer(503);
        send("avro", RECORDS / 2, RECORDS, SECOND, second);
        int checkpoints = Scores.CHECKPOINTS.get();
        await(() -> Scores.CHECKPOINTS.get() > checkpoints + 20);
        assertThat(Scores.BY_TOPIC.get("avro")).hasSize(RECORDS / 2);
        gate.answer(0);
        await(() -> Scores.BY_TOPIC.get("avro").size() == RECORDS);
        await(() -> Scores.BY_TOPIC.get("json").size() == RECORDS);
        await(
                () ->
                        TestTopics.readCommitted(broker.bootstrapServers(), "answers").size()
                                >= RECORDS);
        String savepoint =
                job.stopWithSavepoint(
                                false,
                                dir.resolve("savepoints").toUri().toString(),
                                SavepointFormatType.CANONICAL)
                        .get();

        assertThat(SavepointSchemas.read(savepoint, "avro")).isEqualTo(PINNED);
        assertThat(SavepointSchemas.read(savepoint, "none").isEmpty()).isTrue();
        assertThat(Scores.LETTERS).isEmpty();
        assertThat(Scores.ATTEMPTS).hasValue(0);
        assertThat(Scores.BY_TOPIC.get("avro")).isEqualTo(Scores.BY_TOPIC.get("json"));
        assertAnswers(Scores.BY_TOPIC.get("json"));
        assertThat(gate.requests()).as("requests for two schemas").isLessThan(200);
    }

    private static void answer(MoeResult result, JsonAnswerSerializer serializer) {
        KafkaSink<ScoredToken> sink =
                KafkaSink.<ScoredToken>builder()
                        .setBootstrapServers(broker.bootstrapServers())
                        .setRecordSerializer(serializer)
                        .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
                        .build();
        result.scored().sinkTo(sink).uid("answers");
    }

    /** Each answer is a flat object with the kept fields and the score. */
    private static void assertAnswers(Map<String, List<Float>> scores) throws Exception {
        ObjectMapper json = new ObjectMapper();
        String score = layers.outputs().columns().get(0).name();
        Map<String, List<Float>> answers = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record :
                TestTopics.readCommitted(broker.bootstrapServers(), "answers")) {
            JsonNode answer = json.readTree(record.value());
            int n = answer.path("n").asInt();
            assertThat(answer.path("id").asText()).isEqualTo("card-" + n % 7);
            assertThat(answer.path("model_version").asText()).isEqualTo(layers.modelVersion());
            assertThat(new String(record.key(), UTF_8)).startsWith("card-" + n % 7 + "/");
            JsonNode value = answer.path(score);
            answers.put(
                    "card-%d/%d@%d".formatted(n % 7, n, 1_000 + n),
                    List.of((value.isArray() ? value.path(0) : value).floatValue()));
        }
        assertThat(answers).isEqualTo(scores);
    }

    private static MoeResult score(
            StreamExecutionEnvironment env, String topic, RecordDeserializer deserializer)
            throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", broker.bootstrapServers());
        properties.put("group.id", "own-" + topic);
        TokenSource source =
                TokenSource.builder(topic, properties, deserializer.timestamps(TimestampRules.NONE))
                        .withoutWindows()
                        .schemas(PINNED)
                        .build();
        DataStream<Arrival> arrivals =
                env.fromSource(
                                source,
                                TokenWatermarks.forBoundedOutOfOrderness(Duration.ZERO),
                                topic)
                        .uid(topic);
        MoeResult result = MoeLayers.builder(OPTIONS).name(topic).build().scoreArrivals(arrivals);
        Scores.BY_TOPIC.put(topic, new ConcurrentHashMap<>());
        result.scored()
                .process(new Scores(topic))
                .uid(topic + "-scores")
                .sinkTo(new DiscardingSink<>())
                .uid(topic + "-end");
        result.deadLetters()
                .process(new Letters())
                .uid(topic + "-letters")
                .sinkTo(new DiscardingSink<>())
                .uid(topic + "-letters-end");
        return result;
    }

    private static final class Scores extends ProcessFunction<ScoredToken, Integer>
            implements CheckpointListener {

        private static final long serialVersionUID = 1L;
        private static final Map<String, Map<String, List<Float>>> BY_TOPIC =
                new ConcurrentHashMap<>();
        private static final Queue<String> LETTERS = new ConcurrentLinkedQueue<>();
        private static final AtomicInteger CHECKPOINTS = new AtomicInteger();
        private static final AtomicInteger ATTEMPTS = new AtomicInteger();

        private final String topic;

        private Scores(String topic) {
            this.topic = topic;
        }

        @Override
        public void processElement(ScoredToken token, Context context, Collector<Integer> out) {
            int attempt = getRuntimeContext().getTaskInfo().getAttemptNumber();
            ATTEMPTS.accumulateAndGet(attempt, Math::max);
            BY_TOPIC.get(topic)
                    .put(
                            token.stream() + "/" + token.position() + "@" + token.timestamp(),
                            List.of(token.values()[0]));
        }

        @Override
        public void notifyCheckpointComplete(long checkpointId) {
            CHECKPOINTS.incrementAndGet();
        }
    }

    private static final class Letters extends ProcessFunction<DeadLetter, Integer> {

        private static final long serialVersionUID = 1L;

        @Override
        public void processElement(DeadLetter letter, Context context, Collector<Integer> out) {
            Scores.LETTERS.add(letter.reason());
        }
    }

    private static List<String> features() {
        return java.util.stream.IntStream.range(0, FEATURES)
                .mapToObj(i -> i < 5 ? "f" + i : "more.f" + i)
                .toList();
    }

    /** Ten features, five of them in a record within, and one field that differs. */
    private static Schema schema(String name, String type) {
        StringBuilder outer = new StringBuilder();
        StringBuilder inner = new StringBuilder();
        for (int i = 0; i < FEATURES; i++) {
            (i < 5 ? outer : inner)
                    .append("{\"name\": \"f%d\", \"type\": \"float\"},".formatted(i));
        }
        inner.setLength(inner.length() - 1);
        return new Schema.Parser()
                .parse(
                        """
                        {"type": "record", "name": "Own", "fields": [
                          %s
                          {"name": "more", "type": {"type": "record", "name": "More", "fields": [%s]}},
                          {"name": "card", "type": {"type": "record", "name": "Card", "fields": [
                            {"name": "id", "type": "string"}]}},
                          {"name": "n", "type": "int"},
                          {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
                          {"name": %s, "type": %s}]}"""
                                .formatted(outer, inner, name, type));
    }

    private static int register(String subject, Schema schema) throws Exception {
        ObjectMapper json = new ObjectMapper();
        String body = json.writeValueAsString(Map.of("schema", schema.toString()));
        String answer = registry.post("/subjects/" + subject + "/versions", body);
        return json.readTree(answer).path("id").asInt();
    }

    /**
     * @param schema of records with Confluent's header; null: JSON
     */
    private static void send(String topic, int from, int to, Schema schema, int id)
            throws Exception {
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers())) {
            for (int n = from; n < to; n++) {
                float[] features = FlightsBundle.features(new Random(n));
                String stream = "card-" + n % 7;
                byte[] value =
                        schema == null
                                ? json(n, stream, features).getBytes(UTF_8)
                                : avro(n, stream, features, schema, id);
                producer.send(new ProducerRecord<>(topic, stream.getBytes(UTF_8), value));
            }
        }
    }

    private static String json(int n, String stream, float[] features) {
        StringBuilder json = new StringBuilder("{\"n\": %d, \"at\": %d".formatted(n, 1_000 + n));
        for (int i = 0; i < FEATURES; i++) {
            json.append(i == 5 ? ", \"more\": {" : ", ")
                    .append("\"f")
                    .append(i)
                    .append("\": ")
                    .append(features[i]);
        }
        return json.append("}, \"card\": {\"id\": \"").append(stream).append("\"}}").toString();
    }

    private static byte[] avro(int n, String stream, float[] features, Schema schema, int id)
            throws Exception {
        GenericRecord record = new GenericData.Record(schema);
        GenericRecord more = new GenericData.Record(schema.getField("more").schema());
        GenericRecord card = new GenericData.Record(schema.getField("card").schema());
        for (int i = 0; i < FEATURES; i++) {
            (i < 5 ? record : more).put("f" + i, features[i]);
        }
        card.put("id", stream);
        record.put("more", more);
        record.put("card", card);
        record.put("n", n);
        record.put("at", 1_000L + n);
        if (schema.getField("gone") != null) {
            record.put("gone", n);
        } else {
            record.put("extra", "dropped");
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(ByteBuffer.allocate(5).put((byte) 0).putInt(id).array());
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        new GenericDatumWriter<GenericRecord>(schema).write(record, encoder);
        encoder.flush();
        return out.toByteArray();
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("time to wait").isLessThan(deadline);
            Thread.sleep(5);
        }
    }
}
