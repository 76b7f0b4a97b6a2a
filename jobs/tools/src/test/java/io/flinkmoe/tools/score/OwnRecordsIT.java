// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.apache.flink.core.execution.SavepointFormatType.NATIVE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.kafka.registry.Credentials;
import io.flinkmoe.kafka.registry.RegistrySettings;
import io.flinkmoe.kafka.registry.SchemaRegistry;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.tools.flights.FlightsBundle;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.kafka.TestTopics;
import io.flinkmoe.tools.registry.ApicurioRegistry;
import io.flinkmoe.tools.registry.RegistryGate;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The scoring job with users' own records: JSON, Avro, and Avro with a real registry. */
class OwnRecordsIT {

    private static final int RECORDS = 10_000;
    private static final Duration TIMEOUT = Duration.ofMinutes(2);
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Records have event times of 1970. */
    private static final Map<String, String> TOPIC =
            Map.of("message.timestamp.type", "LogAppendTime");

    private static final Map<Integer, Schema> SCHEMAS = new HashMap<>();

    @RegisterExtension static final MiniClusterExtension CLUSTER = TestJob.cluster();

    @TempDir static Path dir;

    private static KafkaBroker broker;
    private static ApicurioRegistry registry;
    private static RegistryGate gate;
    private static Path bundle;

    @BeforeAll
    static void start() throws Exception {
        broker = KafkaBroker.start(dir.resolve("kafka"));
        registry = ApicurioRegistry.start(dir.resolve("registry"));
        gate = new RegistryGate(HttpServer.create(), registry.url());
        bundle = FlightsBundle.create(dir);
    }

    @AfterAll
    static void stop() throws Exception {
        for (AutoCloseable one : new AutoCloseable[] {gate, registry, broker}) {
            if (one != null) {
                one.close();
            }
        }
    }

    /** What an answer has, whichever format it is in. */
    private record Answer(
            String id, BigDecimal price, int gone, String version, float score, String trace) {}

    @Test
    void jsonAndEvolvingAvroHaveTheSameAnswersAndTheRegistryMayGoAway() throws Exception {
        scores("short", Duration.ofSeconds(5));
    }

    @Test
    @Tag("slow")
    void theRegistryMayGoAwayForAMinute() throws Exception {
        scores("long", Duration.ofSeconds(60));
    }

    /** 10,000 records in each format; the schema evolves in the middle. */
    private static void scores(String name, Duration outage) throws Exception {
        String avro = name + "-avro";
        String json = name + "-json";
        int first = register(avro + "-in-value", Payments.FIRST);
        JobClient ofAvro = start(registryOptions(avro));
        JobClient ofJson = start(options(json, "json"));

        send(json, 0, RECORDS, Payments::json);
        send(avro, 0, RECORDS / 2, n -> Payments.avro(n, Payments.FIRST, first));
        await(() -> count(avro) == RECORDS / 2);
        int second = register(avro + "-in-value", Payments.SECOND);
        assertThat(register(name + "-other-value", Payments.SECOND))
                .as("one schema under two subjects")
                .isEqualTo(second);
        gate.answer(503);
        int before = gate.requests();
        send(avro, RECORDS / 2, RECORDS, n -> Payments.avro(n, Payments.SECOND, second));
        int checkpoints = Checkpoints.COMPLETE.get(avro).get();
        Thread.sleep(outage.toMillis());
        assertThat(Checkpoints.COMPLETE.get(avro).get() - checkpoints)
                .as("checkpoints during the outage")
                .isGreaterThan((int) outage.toSeconds());
        assertThat(gate.requests()).as("requests during the outage").isGreaterThan(before);
        assertThat(count(avro)).isEqualTo(RECORDS / 2);
        gate.answer(0);
        await(() -> count(avro) == RECORDS);
        await(() -> count(json) == RECORDS);
        ofAvro.cancel().get();
        ofJson.cancel().get();

        assertThat(read(avro + "-dead")).isEmpty();
        assertThat(read(json + "-dead")).isEmpty();
        Map<Integer, Answer> answers = avroAnswers(avro);
        Map<Integer, Answer> ofTexts = jsonAnswers(json);
        assertThat(answers).hasSize(RECORDS);
        assertThat(ofTexts).hasSize(RECORDS);
        for (int n = 0; n < RECORDS; n++) {
            Answer answer = ofTexts.get(n);
            assertThat(answer.id()).isEqualTo(Payments.card(n));
            assertThat(answer.price()).isEqualTo(Payments.price(n));
            assertThat(answer.gone()).isEqualTo(n);
            assertThat(answer.trace()).isEqualTo("trace-" + n);
            // What the second schema has no longer has the first one's default.
            int gone = n < RECORDS / 2 ? n : 7;
            assertThat(answers.get(n))
                    .isEqualTo(
                            new Answer(
                                    answer.id(),
                                    answer.price(),
                                    gone,
                                    answer.version(),
                                    answer.score(),
                                    answer.trace()));
        }
    }

    @Test
    void aSavepointKeepsItsSchemaUntilAnotherOneIsAskedFor() throws Exception {
        String name = "pinned";
        int first = register(name + "-in-value", Payments.FIRST);
        Configuration options = registryOptions(name);
        options.setString("moe.record.keep", "all");
        JobClient job = start(options);
        send(name, 0, 10, n -> Payments.avro(n, Payments.FIRST, first));
        await(() -> count(name) == 10);
        int second = register(name + "-in-value", Payments.SECOND);

        for (int round = 1; round <= 2; round++) {
            options.setString("execution.state-recovery.path", savepoint(job));
            assertThat(plan(options).get(PinnedSchemas.VALUE).orElseThrow().origin())
                    .isEqualTo("version 1 of subject pinned-in-value, as in the savepoint");
            job = start(options);
            send(name, 10 * round, 10 * round + 10, n -> Payments.avro(n, Payments.SECOND, second));
            int all = 10 * round + 10;
            await(() -> count(name) == all);
        }
        options.setString("execution.state-recovery.path", savepoint(job));
        options.setString("moe.record.schema", "2");
        job = start(options);
        send(name, 30, 40, n -> Payments.avro(n, Payments.SECOND, second));
        await(() -> count(name) == 40);
        job.cancel().get();

        assertThat(read(name + "-dead")).isEmpty();
        Map<Integer, GenericRecord> answers = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : read(name + "-out")) {
            GenericRecord answer = decode(record.value());
            answers.put((Integer) answer.get("n"), answer);
        }
        for (int n = 0; n < 40; n++) {
            GenericRecord answer = answers.get(n);
            assertThat(answer.getSchema().getFullName()).isEqualTo("pay.PaymentAnswer");
            if (n < 30) {
                assertThat(answer.get("gone")).isEqualTo(n < 10 ? n : 7);
                assertThat(answer.getSchema().getField("extra")).isNull();
            } else {
                assertThat(answer.get("extra")).hasToString("more-" + n);
            }
        }
    }

    @Test
    void aBadRecordIsADeadLetterInJson() throws Exception {
        JobClient job = start(options("bad", "json"));
        send("bad", 0, 1, n -> "{\"n\": 1, \"card\": {}}".getBytes(UTF_8));
        send("bad", 1, 2, n -> new byte[] {0, (byte) 0xfe});
        await(() -> read("bad-dead").size() == 2);
        job.cancel().get();

        List<JsonNode> letters = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : read("bad-dead")) {
            letters.add(JSON.readTree(record.value()));
        }
        letters.sort((a, b) -> Boolean.compare(a.has("value_base64"), b.has("value_base64")));
        assertThat(letters.get(0).path("value").asText()).isEqualTo("{\"n\": 1, \"card\": {}}");
        assertThat(letters.get(0).path("kind").asText()).isEqualTo("stream");
        assertThat(letters.get(0).path("reason").asText()).contains("card.id is missing");
        assertThat(letters.get(0).path("headers").path(0).path("value").asText())
                .isEqualTo("trace-0");
        assertThat(letters.get(1).path("value_base64").asText()).isEqualTo("AP4=");
    }

    @Test
    void avroWithoutARegistryHasItsSchemasInFiles() throws Exception {
        Path file = java.nio.file.Files.writeString(dir.resolve("a.avsc"), "" + Payments.FIRST);
        Configuration options = options("plain", "avro");
        options.setString("moe.record.schema", file.toString());
        Schema schema =
                new Schema.Parser()
                        .parse(plan(options).get(PinnedSchemas.ANSWER).orElseThrow().schema());
        JobClient job = start(options);
        send("plain", 0, 10, n -> Payments.avro(n, Payments.FIRST));
        await(() -> count("plain") == 10);
        job.cancel().get();

        for (ConsumerRecord<byte[], byte[]> record : read("plain-out")) {
            GenericRecord answer = decode(record.value(), 0, schema);
            int n = (Integer) answer.get("n");
            assertThat(answer.get("gone")).isEqualTo(n);
            assertThat(answer.get("id")).hasToString(Payments.card(n));
        }
    }

    @Test
    @Tag("slow")
    void anUnknownSchemaIsADeadLetterAfterHalfAMinute() throws Exception {
        register("unknown-in-value", Payments.FIRST);
        JobClient job = start(registryOptions("unknown"));
        long begin = System.nanoTime();
        send("unknown", 0, 1, n -> Payments.avro(n, Payments.FIRST, 987_654));
        await(() -> read("unknown-dead").size() == 1);
        assertThat(Duration.ofNanos(System.nanoTime() - begin))
                .isBetween(Duration.ofSeconds(28), Duration.ofSeconds(60));
        job.cancel().get();

        io.flinkmoe.schemas.DeadLetter letter =
                io.flinkmoe.schemas.DeadLetter.fromByteBuffer(
                        ByteBuffer.wrap(read("unknown-dead").get(0).value()));
        assertThat(letter.getKind()).isEqualTo("unknown-schema");
        assertThat(letter.getReason()).contains("987654");
    }

    @Test
    void saysBeforeItStartsWhatTheRegistryLacks() throws Exception {
        Configuration options = registryOptions("lacks");
        assertThatThrownBy(() -> plan(options))
                .hasMessageStartingWith(
                        "moe.record.schema is latest: the latest version of subject lacks-in-value cannot be had");
        register("lacks-in-value", Payments.FIRST);
        options.setString("moe.registry.auto-register", "false");
        assertThatThrownBy(() -> plan(options))
                .hasMessageStartingWith(
                        "moe.registry.auto-register is false, and the registry does not have the schema of the answers under the subject lacks-out-value; register it there: {\"type\":\"record\",\"name\":\"PaymentAnswer\"");
        options.setString("moe.registry.auto-register", "true");
        assertThat(plan(options).get(PinnedSchemas.ANSWER).orElseThrow().id())
                .isEqualTo(PinnedSchemas.Pinned.NO_ID);
        options.setString("moe.record.keep", "nothing");
        assertThatThrownBy(() -> plan(options)).hasMessageStartingWith("moe.record: nothing");
        options.setString("moe.registry.url", "http://localhost:1");
        assertThatThrownBy(() -> plan(options))
                .hasMessageStartingWith("the schema registry does not answer: ")
                .hasMessageContaining("check moe.registry.url");
    }

    private static Configuration options(String name, String format) throws Exception {
        for (String topic : List.of("in", "out", "dead")) {
            broker.createTopic(name + "-" + topic, 2, TOPIC);
        }
        Map<String, String> options = new HashMap<>();
        options.put("moe.kafka.brokers", broker.bootstrapServers());
        options.put("moe.bundle", bundle.toString());
        options.put("moe.source.topic", name + "-in");
        options.put("moe.source.group-id", name);
        options.put("moe.sink.topic", name + "-out");
        options.put("moe.sink.delivery", "idempotent");
        options.put("moe.dead-letter.topic", name + "-dead");
        options.put("moe.format", format);
        options.put("moe.record.stream", "card.id");
        options.put("moe.record.timestamp.field", "at");
        options.put("moe.record.position", "n");
        options.put("moe.record.features.x", Payments.FEATURES);
        options.put("moe.record.keep", "n;card.id;price;gone");
        options.put("moe.record.keep-headers", "trace");
        options.put("execution.checkpointing.interval", "200 ms");
        options.put("restart-strategy.type", "none");
        return Configuration.fromMap(options);
    }

    private static Configuration registryOptions(String name) throws Exception {
        Configuration options = options(name, "avro-registry");
        options.setString("moe.registry.url", "http://" + gate.hostAndPort());
        return options;
    }

    private static JobClient start(Configuration options) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(1);
        String name = options.toMap().get("moe.source.group-id");
        Checkpoints.COMPLETE.put(name, new AtomicInteger());
        ScoringJob.build(env, options)
                .scored()
                .process(new Checkpoints(name))
                .uid("checkpoints")
                .sinkTo(new DiscardingSink<>())
                .uid("discard");
        return env.executeAsync();
    }

    private static PinnedSchemas plan(Configuration options) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        return ScoringJob.plan(env, options, warning -> {});
    }

    private static String savepoint(JobClient job) throws Exception {
        return job.stopWithSavepoint(false, dir.resolve("savepoints").toUri().toString(), NATIVE)
                .get(1, TimeUnit.MINUTES);
    }

    /** Counts the checkpoints of a job. A job that fails does not restart here. */
    private static final class Checkpoints extends ProcessFunction<ScoredToken, Integer>
            implements CheckpointListener {

        private static final long serialVersionUID = 1L;
        private static final Map<String, AtomicInteger> COMPLETE = new HashMap<>();

        private final String job;

        Checkpoints(String job) {
            this.job = job;
        }

        @Override
        public void processElement(ScoredToken token, Context context, Collector<Integer> out) {}

        @Override
        public void notifyCheckpointComplete(long checkpointId) {
            COMPLETE.get(job).incrementAndGet();
        }
    }

    private interface Record {

        byte[] of(int n) throws Exception;
    }

    private static void send(String name, int from, int to, Record record) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers())) {
            for (int n = from; n < to; n++) {
                byte[] key = Payments.card(n).getBytes(UTF_8);
                ProducerRecord<byte[], byte[]> one =
                        new ProducerRecord<>(name + "-in", key, record.of(n));
                one.headers().add(new RecordHeader("trace", ("trace-" + n).getBytes(UTF_8)));
                producer.send(one);
            }
        }
    }

    private static int register(String subject, Schema schema) throws Exception {
        String body = JSON.writeValueAsString(Map.of("schema", schema.toString()));
        String answer = registry.post("/subjects/" + subject + "/versions", body);
        return JSON.readTree(answer).path("id").asInt();
    }

    private static Map<Integer, Answer> avroAnswers(String name) throws Exception {
        Map<Integer, Answer> answers = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : read(name + "-out")) {
            GenericRecord answer = decode(record.value());
            ByteBuffer price = (ByteBuffer) answer.get("price");
            answers.put(
                    (Integer) answer.get("n"),
                    new Answer(
                            answer.get("id").toString(),
                            new BigDecimal(new BigInteger(price.array()), 2),
                            (Integer) answer.get("gone"),
                            answer.get("model_version").toString(),
                            score(answer.get(4)),
                            trace(record)));
        }
        return answers;
    }

    /** The first output comes after the four kept fields. */
    private static float score(Object output) {
        return (Float) (output instanceof List<?> vector ? vector.get(0) : output);
    }

    private static Map<Integer, Answer> jsonAnswers(String name) throws Exception {
        Map<Integer, Answer> answers = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : read(name + "-out")) {
            String text = new String(record.value(), UTF_8);
            JsonNode answer = JSON.readTree(text);
            int n = answer.path("n").asInt();
            assertThat(text).as("the price as it was written").contains("" + Payments.price(n));
            JsonNode score = null;
            for (JsonNode field : answer) {
                score = score == null && field.isArray() ? field.path(0) : score;
            }
            answers.put(
                    n,
                    new Answer(
                            answer.path("id").asText(),
                            Payments.price(n),
                            answer.path("gone").asInt(),
                            answer.path("model_version").asText(),
                            score.floatValue(),
                            trace(record)));
        }
        return answers;
    }

    private static String trace(ConsumerRecord<byte[], byte[]> record) {
        return new String(record.headers().lastHeader("trace").value(), UTF_8);
    }

    private static GenericRecord decode(byte[] value) throws Exception {
        assertThat(value[0]).isZero();
        int id = ByteBuffer.wrap(value).getInt(1);
        if (!SCHEMAS.containsKey(id)) {
            RegistrySettings settings =
                    new RegistrySettings(
                            RegistrySettings.urls(List.of(registry.url())), Credentials.NONE, null);
            SCHEMAS.put(id, new SchemaRegistry(settings).byId(id));
        }
        return decode(value, 5, SCHEMAS.get(id));
    }

    private static GenericRecord decode(byte[] value, int from, Schema schema) throws Exception {
        return new GenericDatumReader<GenericRecord>(schema)
                .read(
                        null,
                        DecoderFactory.get().binaryDecoder(value, from, value.length - from, null));
    }

    private static int count(String name) {
        return read(name + "-out").size();
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(String topic) {
        return TestTopics.readCommitted(broker.bootstrapServers(), topic);
    }

    private static void await(Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + TIMEOUT.toNanos();
        while (!condition.call()) {
            assertThat(System.nanoTime()).as("time to wait").isLessThan(deadline);
            Thread.sleep(100);
        }
    }
}
