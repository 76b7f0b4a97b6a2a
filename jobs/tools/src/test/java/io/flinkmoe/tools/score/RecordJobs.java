// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.apache.flink.core.execution.SavepointFormatType.NATIVE;
import static org.assertj.core.api.Assertions.assertThat;

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
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
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
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeader;

/** Jobs that score {@link Payments}, with a broker and a real registry. */
final class RecordJobs implements AutoCloseable {

    private static final Duration TIMEOUT = Duration.ofMinutes(2);
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Records have event times of 1970. */
    private static final Map<String, String> TOPIC =
            Map.of("message.timestamp.type", "LogAppendTime");

    private final Path dir;
    private final Path bundle;
    private final KafkaBroker broker;
    private final ApicurioRegistry registry;
    private final RegistryGate gate;
    private final Map<Integer, Schema> schemas = new HashMap<>();

    private RecordJobs(Path dir, KafkaBroker broker, ApicurioRegistry registry) throws Exception {
        this.dir = dir;
        this.broker = broker;
        this.registry = registry;
        this.gate = new RegistryGate(HttpServer.create(), registry.url());
        this.bundle = FlightsBundle.create(dir);
    }

    static RecordJobs open(Path dir) throws Exception {
        KafkaBroker broker = KafkaBroker.start(dir.resolve("kafka"));
        try {
            return new RecordJobs(dir, broker, ApicurioRegistry.start(dir.resolve("registry")));
        } catch (Exception e) {
            broker.close();
            throw e;
        }
    }

    @Override
    public void close() throws Exception {
        gate.close();
        registry.close();
        broker.close();
    }

    Path bundle() {
        return bundle;
    }

    /** What is between the jobs and the registry. */
    RegistryGate gate() {
        return gate;
    }

    /** Options of a job between three new topics that begin with the given name. */
    Configuration options(String name, String format) throws Exception {
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

    Configuration registryOptions(String name) throws Exception {
        Configuration options = options(name, "avro-registry");
        options.setString("moe.registry.url", registryUrl());
        return options;
    }

    String registryUrl() {
        return "http://" + gate.hostAndPort();
    }

    static JobClient start(Configuration options) throws Exception {
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

    static PinnedSchemas plan(Configuration options) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        return ScoringJob.plan(env, options, warning -> {});
    }

    String savepoint(JobClient job) throws Exception {
        return job.stopWithSavepoint(false, dir.resolve("savepoints").toUri().toString(), NATIVE)
                .get(1, TimeUnit.MINUTES);
    }

    /** The completed checkpoints of a job. */
    static int checkpoints(String job) {
        return Checkpoints.COMPLETE.get(job).get();
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

    /** The value or the key of a payment. */
    interface Part {

        byte[] of(int n) throws Exception;
    }

    /** Sends payments whose keys are their cards. */
    void send(String name, int from, int to, Part value) throws Exception {
        send(name, from, to, n -> Payments.card(n).getBytes(UTF_8), value);
    }

    void send(String name, int from, int to, Part key, Part value) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers())) {
            for (int n = from; n < to; n++) {
                ProducerRecord<byte[], byte[]> one =
                        new ProducerRecord<>(name + "-in", key.of(n), value.of(n));
                one.headers().add(new RecordHeader("trace", ("trace-" + n).getBytes(UTF_8)));
                producer.send(one);
            }
        }
    }

    /** Registers a schema as a foreign client does, and returns its id. */
    int register(String subject, Schema schema) throws Exception {
        String body = JSON.writeValueAsString(Map.of("schema", schema.toString()));
        String answer = registry.post("/subjects/" + subject + "/versions", body);
        return JSON.readTree(answer).path("id").asInt();
    }

    SchemaRegistry client() throws Exception {
        return new SchemaRegistry(
                new RegistrySettings(
                        RegistrySettings.urls(List.of(registry.url())), Credentials.NONE, null));
    }

    /** Decodes a record in Confluent's wire format. */
    GenericRecord decode(byte[] value) throws Exception {
        assertThat(value[0]).isZero();
        int id = schemaId(value);
        if (!schemas.containsKey(id)) {
            schemas.put(id, client().byId(id));
        }
        return decode(value, 5, schemas.get(id));
    }

    static int schemaId(byte[] value) {
        return ByteBuffer.wrap(value).getInt(1);
    }

    static GenericRecord decode(byte[] value, int from, Schema schema) throws Exception {
        return new GenericDatumReader<GenericRecord>(schema)
                .read(
                        null,
                        DecoderFactory.get().binaryDecoder(value, from, value.length - from, null));
    }

    /** The number of answers. */
    int count(String name) {
        return read(name + "-out").size();
    }

    List<ConsumerRecord<byte[], byte[]>> read(String topic) {
        return TestTopics.readCommitted(broker.bootstrapServers(), topic);
    }

    static void await(Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + TIMEOUT.toNanos();
        while (!condition.call()) {
            assertThat(System.nanoTime()).as("time to wait").isLessThan(deadline);
            Thread.sleep(100);
        }
    }
}
