// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static io.flinkmoe.tools.score.GoodAndBadRecords.BAD;
import static io.flinkmoe.tools.score.GoodAndBadRecords.GOOD;
import static io.flinkmoe.tools.score.GoodAndBadRecords.START;
import static io.flinkmoe.tools.score.GoodAndBadRecords.STREAMS;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.apache.flink.core.execution.SavepointFormatType.NATIVE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import io.flinkmoe.MoeResult;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.schemas.DeadLetter;
import io.flinkmoe.schemas.ScoredToken;
import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.scoring.ChangesOfWindows;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.scoring.record.RecordOptions;
import io.flinkmoe.tools.flights.Flights;
import io.flinkmoe.tools.flights.FlightsBundle;
import io.flinkmoe.tools.flink.Backend;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.kafka.TestTopics;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.StateChangelogOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.apache.flink.streaming.api.transformations.SourceTransformation;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ScoringJobIT {

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

    /** The job fails after its first checkpoint: what it had written since must not show. */
    @Test
    void scoresEachGoodRecordOnceAndExplainsEachBadOneAlthoughItFails() throws Exception {
        FailOnce.FAILED.set(false);
        Path schema =
                Files.writeString(
                        dir.resolve("nullable.avsc"), GoodAndBadRecords.NULLABLE.toString());
        Configuration options = options("mixed", 3);
        options.set(RecordOptions.SCHEMAS, List.of(schema.toString()));
        options.set(KafkaOptions.SOURCE_STOP, KafkaOptions.Stop.NEVER);
        // Only with windows does a timestamp of the future do harm. This window takes all.
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, Integer.MAX_VALUE);
        options.set(KafkaOptions.SOURCE_MAX_BEHIND, Flights.AGE);
        List<GoodAndBadRecords.Input> inputs = GoodAndBadRecords.shuffled("mixed-in");
        StreamExecutionEnvironment env = TestJob.environment(2);
        ScoringJob.build(env, options)
                .scored()
                .process(new FailOnce())
                .uid("fail-once")
                .sinkTo(new DiscardingSink<>())
                .uid("discard");

        Map<Origin, String> reasons = produce(inputs.subList(0, inputs.size() / 2));
        JobClient job = env.executeAsync();
        await(() -> !read("mixed-out").isEmpty());
        reasons.putAll(produce(inputs.subList(inputs.size() / 2, inputs.size())));
        await(() -> read("mixed-out").size() >= GOOD && read("mixed-dead").size() >= BAD);
        job.stopWithSavepoint(true, dir.resolve("savepoint").toUri().toString(), NATIVE)
                .get(1, TimeUnit.MINUTES);

        assertThat(FailOnce.FAILED).isTrue();
        assertScored(read("mixed-out"));
        assertDeadLetters(read("mixed-dead"), reasons);
    }

    private static void assertScored(List<ConsumerRecord<byte[], byte[]>> records)
            throws IOException {
        Map<String, Long> last = new HashMap<>();
        Set<Long> positions = new HashSet<>();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            ScoredToken token = ScoredToken.fromByteBuffer(ByteBuffer.wrap(record.value()));
            long position = token.getPosition();
            assertThat(positions.add(position)).as("only one %d", position).isTrue();
            Long before = last.put(token.getStream(), position);
            assertThat(position)
                    .as("in the order of its stream")
                    .isGreaterThan(before == null ? -1 : before);
            assertThat(record.key()).isEqualTo(token.getStream().getBytes(UTF_8));
            assertThat(token.getStream()).isEqualTo("stream-" + position % STREAMS);
            assertThat(token.getTimestamp().toEpochMilli()).isEqualTo(START + position);
            assertThat(token.getValues()).hasSize(1);
            assertThat(token.getValues().get(0)).isBetween(0f, 1f);
            assertThat(token.getLayers().get(0).getChoices()).hasSize(2);
        }
        assertThat(positions).hasSize(GOOD);
    }

    private static void assertDeadLetters(
            List<ConsumerRecord<byte[], byte[]>> records, Map<Origin, String> reasons)
            throws IOException {
        Map<Origin, String> found = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            DeadLetter letter = DeadLetter.fromByteBuffer(ByteBuffer.wrap(record.value()));
            found.put(
                    new Origin(letter.getTopic(), letter.getPartition(), letter.getOffset()),
                    withoutInstants(letter.getReason()));
        }
        assertThat(found).isEqualTo(reasons).hasSize(BAD);
        assertThat(records).hasSize(BAD);
    }

    @Test
    void aBadRecordThatNoMessageOfOursHoldsIsADeadLetterToo() throws Exception {
        Configuration options = options("large", 1);
        TokenEncoder encoder = TokenEncoder.singleObject();
        byte[] large = encoder.encode("s", 0, START, new float[500_000]);
        float[] features = FlightsBundle.features(new Random(3));
        byte[] good = encoder.encode("s", 1, START, features);
        // An answer has the stream as its key and in its value.
        byte[] named = encoder.encode("s".repeat(600_000), 2, START, features);
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(
                        broker.bootstrapServers(), Map.of("max.request.size", "4000000"))) {
            producer.send(new ProducerRecord<>("large-in", large)).get();
            producer.send(new ProducerRecord<>("large-in", named)).get();
            producer.send(new ProducerRecord<>("large-in", good)).get();
        }

        TestJob.run(options, 1);

        assertThat(read("large-out")).hasSize(1);
        List<ConsumerRecord<byte[], byte[]>> dead = read("large-dead");
        assertThat(dead).hasSize(2);
        DeadLetter letter = DeadLetter.fromByteBuffer(ByteBuffer.wrap(dead.get(1).value()));
        assertThat(letter.getReason())
                .isEqualTo("stream has 600000 characters; allowed: up to 1024");
        assertThat(letter.getValue()).isEqualTo(ByteBuffer.wrap(named));
        letter = DeadLetter.fromByteBuffer(ByteBuffer.wrap(dead.get(0).value()));
        assertThat(letter.getReason())
                .startsWith("values has 500000 entries; the model takes 10; truncated to fit ")
                .endsWith(" of %d bytes".formatted(large.length));
        byte[] kept = new byte[letter.getValue().remaining()];
        letter.getValue().get(kept);
        assertThat(kept).isEqualTo(Arrays.copyOf(large, kept.length)).hasSizeGreaterThan(1_000_000);
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void whatWaitsForItsWindowIsAnsweredWhenAQuietJobIsDrained(Backend backend) throws Exception {
        String name = "drained-" + backend;
        Configuration options = options(name, 1);
        backend.configure(options);
        options.set(KafkaOptions.SOURCE_STOP, KafkaOptions.Stop.NEVER);
        options.set(KafkaOptions.SOURCE_IDLE_TIMEOUT, Duration.ofMillis(200));
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 5);
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        options.set(
                CheckpointingOptions.CHECKPOINTS_DIRECTORY, dir.resolve(name).toUri().toString());
        TokenEncoder encoder = TokenEncoder.singleObject();
        Random random = new Random(4);
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            for (int i = 0; i < 20; i++) {
                byte[] value = encoder.encode("s", i, START + i, FlightsBundle.features(random));
                producer.send(new ProducerRecord<>(name + "-in", value));
            }
        }
        StreamExecutionEnvironment env = TestJob.environment(1);
        ScoringJob.build(env, options);

        JobClient job = env.executeAsync();
        TopicPartition source = new TopicPartition(name + "-in", 0);
        String group = options.get(KafkaOptions.SOURCE_GROUP_ID);
        await(() -> TestTopics.committed(broker.bootstrapServers(), group, source) == 20);
        TimeUnit.SECONDS.sleep(1); // Soon after it is idle too, which nobody can be asked for.
        job.stopWithSavepoint(true, dir.resolve("savepoints").toString(), NATIVE)
                .get(2, TimeUnit.MINUTES);

        assertThat(read(name + "-out")).hasSize(20);
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void windowsOnTheHeapThatAreDecidedAtTheirCloseAreLogged(Backend backend) throws Exception {
        Configuration options = options("logged-" + backend, 1);
        backend.configure(options);
        options.set(
                CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                dir.resolve("checkpoints").toUri().toString());
        ChangesOfWindows.store(options, dir.resolve("changes").toUri().toString());
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 5);
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        StreamExecutionEnvironment env = TestJob.environment(1);
        ScoringJob.build(env, options);

        assertThat(env.getConfiguration().get(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG))
                .isEqualTo(backend == Backend.HEAP);
    }

    @Test
    void readsAndWritesRawAvro() throws Exception {
        Configuration options = options("raw", 1);
        options.set(RecordOptions.FORMAT, RecordOptions.Format.TOKEN_RAW);
        options.set(KafkaOptions.SINK_DELIVERY, KafkaOptions.Delivery.AT_LEAST_ONCE);
        Random random = new Random(2);
        TokenEncoder encoder = TokenEncoder.raw();
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            for (int i = 0; i < 100; i++) {
                byte[] value = encoder.encode("s", i, START + i, FlightsBundle.features(random));
                producer.send(new ProducerRecord<>("raw-in", value));
            }
        }

        TestJob.run(options, 2);

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
    void laysOutTheJobUnderItsUidsAndSettings() throws IOException {
        Configuration options = options("layout", 2);
        options.setString("moe.kafka.properties", "client.rack:secret");
        options.set(KafkaOptions.SOURCE_MAX_DRIFT, Duration.ofSeconds(20));
        StreamExecutionEnvironment env = TestJob.environment(3);

        MoeResult result = ScoringJob.build(env, options);

        assertThat(env.getConfiguration().toMap())
                .containsEntry("pipeline.object-reuse", "true")
                .containsEntry("pipeline.generic-types", "false")
                .containsEntry("pipeline.auto-generate-uids", "false")
                .containsEntry("execution.checkpointing.mode", "EXACTLY_ONCE")
                .doesNotContainKey("moe.kafka.properties");
        Map<String, Integer> parallelism = new HashMap<>();
        for (StreamNode node : env.getStreamGraph().getStreamNodes()) {
            parallelism.put(node.getTransformationUID(), node.getParallelism());
        }
        assertThat(parallelism)
                .containsEntry("token-source", 2)
                .containsEntry("scored-token-sink", 3)
                .containsEntry("dead-letter-sink", 3)
                .doesNotContainKey(null);
        assertThat(result.scored().getTransformation().getTransitivePredecessors())
                .filteredOn(SourceTransformation.class::isInstance)
                .singleElement(type(SourceTransformation.class))
                .satisfies(source -> assertThat(maxDrift(source)).isEqualTo(20_000));
    }

    private static long maxDrift(SourceTransformation<?, ?, ?> source) {
        return source.getWatermarkStrategy().getAlignmentParameters().getMaxAllowedWatermarkDrift();
    }

    @Test
    void refusesBatchMode() throws IOException {
        Configuration options = options("batch", 1);
        options.set(ExecutionOptions.RUNTIME_MODE, RuntimeExecutionMode.BATCH);

        assertThatThrownBy(() -> build(options))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("execution.runtime-mode is BATCH");
    }

    private record Origin(String topic, int partition, long offset) {}

    /** Gives the reason that each bad record should come back with, by where it is. */
    private static Map<Origin, String> produce(List<GoodAndBadRecords.Input> inputs)
            throws Exception {
        Map<Future<RecordMetadata>, String> bad = new HashMap<>();
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            for (GoodAndBadRecords.Input input : inputs) {
                Future<RecordMetadata> sent = producer.send(input.record());
                if (input.reason() != null) {
                    bad.put(sent, input.reason());
                }
            }
        }
        Map<Origin, String> reasons = new HashMap<>();
        for (Map.Entry<Future<RecordMetadata>, String> record : bad.entrySet()) {
            RecordMetadata at = record.getKey().get();
            reasons.put(new Origin(at.topic(), at.partition(), at.offset()), record.getValue());
        }
        return reasons;
    }

    private static String withoutInstants(String reason) {
        return reason.replaceAll("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "*");
    }

    /** Options of a job between three new topics that begin with the given name. */
    private static Configuration options(String name, int partitions) throws IOException {
        return TestJob.options(broker, bundle, name, partitions);
    }

    private static void build(Configuration options) throws IOException {
        ScoringJob.build(TestJob.environment(1), options);
    }

    private static void await(BooleanSupplier condition) {
        long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("time to wait").isLessThan(deadline);
        }
    }

    private static KafkaProducer<byte[], byte[]> producer() {
        return TestTopics.producer(broker.bootstrapServers());
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(String topic) {
        return TestTopics.readCommitted(broker.bootstrapServers(), topic);
    }

    /** Fails the job, once, on the way through its second half. */
    private static final class FailOnce
            extends ProcessFunction<io.flinkmoe.api.ScoredToken, Integer> {

        private static final long serialVersionUID = 1L;
        private static final AtomicBoolean FAILED = new AtomicBoolean();

        @Override
        public void processElement(
                io.flinkmoe.api.ScoredToken token, Context context, Collector<Integer> out) {
            if (token.position() > GOOD * 3 / 4 && FAILED.compareAndSet(false, true)) {
                throw new IllegalStateException("fails once, as this test wants");
            }
        }
    }
}
