// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static org.apache.flink.core.execution.SavepointFormatType.NATIVE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.kafka.source.MissingOffsets;
import io.flinkmoe.kafka.source.StartPosition;
import io.flinkmoe.schemas.ScoredToken;
import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.tools.flights.FlightsBundle;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.kafka.TestTopics;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.ExceptionUtils;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Records that are gone from the topic before the job has read them. */
class MissingOffsetsIT {

    @RegisterExtension private static final MiniClusterExtension CLUSTER = TestJob.cluster();

    @TempDir private static Path dir;
    private static KafkaBroker broker;
    private static Admin admin;
    private static Path bundle;

    @BeforeAll
    static void start() throws IOException {
        broker = KafkaBroker.start(dir.resolve("kafka"));
        admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()));
        bundle = FlightsBundle.create(dir);
    }

    @AfterAll
    static void stop() {
        if (broker != null) {
            admin.close();
            broker.close();
        }
    }

    @ParameterizedTest
    @EnumSource
    void ofARestoredStateFailTheJobForGood(StartPosition start) throws Exception {
        Configuration options = options("restored-" + start);
        options.set(KafkaOptions.SOURCE_START, start);
        restoreBeforeTheCut(options);
        // A job that restarts would not end within the time of this test.
        options.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        options.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 1_000);

        assertThatThrownBy(() -> TestJob.start(options).getJobExecutionResult().get())
                .satisfies(
                        failure ->
                                assertThat(ExceptionUtils.stringifyException(failure))
                                        .contains(
                                                "restored-%s-in-0 at offset 15 (the topic has the offsets from 20 to 21)"
                                                        .formatted(start),
                                                "moe.source.missing-offsets"));
    }

    @ParameterizedTest
    @CsvSource({"EARLIEST, 20", "LATEST, 21"})
    void ofARestoredStateAreSkippedIfAllowed(MissingOffsets policy, long first) throws Exception {
        Configuration options = options("skipped-" + policy);
        options.set(KafkaOptions.SOURCE_MISSING_OFFSETS, policy);
        restoreBeforeTheCut(options);

        JobClient job = TestJob.start(options);
        awaitScored(options, 15 + 21 - (int) first);
        send(options, 21, 25);
        awaitScored(options, 15 + 25 - (int) first);
        job.cancel().get();

        assertThat(scored(options))
                .containsExactlyElementsOf(
                        LongStream.concat(LongStream.range(0, 15), LongStream.range(first, 25))
                                .boxed()
                                .toList());
    }

    /** Its state is beyond the end of the topic, or before it: offsets alone do not tell. */
    @ParameterizedTest
    @ValueSource(ints = {3, 40})
    void ofATopicThatWasCreatedAnewFailTheJob(int records) throws Exception {
        String topic = "anew-%d-in".formatted(records);
        Configuration options = options("anew-" + records);
        send(options, 0, 15);
        stopWithSavepoint(options, 15);
        recreate(topic, 1);
        send(options, 0, records);

        assertThatThrownBy(() -> TestJob.start(options).getJobExecutionResult().get())
                .satisfies(
                        failure ->
                                assertThat(ExceptionUtils.stringifyException(failure))
                                        .containsPattern(
                                                "%s-0 at offset 15 \\(the topic was created anew: its id was .+ and is .+; the topic has the offsets from 0 to %d\\)"
                                                        .formatted(topic, records)));
    }

    @Tag("slow")
    @ParameterizedTest
    @CsvSource({"EARLIEST, 0", "LATEST, 40"})
    void ofATopicThatWasCreatedAnewAreSkippedIfAllowed(MissingOffsets policy, long first)
            throws Exception {
        Configuration options = options("new-" + policy);
        options.set(KafkaOptions.SOURCE_MISSING_OFFSETS, policy);
        send(options, 100, 115);
        stopWithSavepoint(options, 15);
        recreate(options.get(KafkaOptions.SOURCE_TOPIC), 1);
        send(options, 0, 40);

        JobClient job = TestJob.start(options);
        awaitScored(options, 15 + 40 - (int) first);
        awaitCommitted(options, options.get(KafkaOptions.SOURCE_GROUP_ID));
        send(options, 40, 45);
        awaitScored(options, 15 + 45 - (int) first);
        job.cancel().get();

        assertThat(scored(options))
                .containsExactlyElementsOf(
                        LongStream.concat(LongStream.range(first, 45), LongStream.range(100, 115))
                                .boxed()
                                .toList());
    }

    @Test
    void ofATopicThatIsCreatedAnewFailTheRunningJob() throws Exception {
        Configuration options = options("running");
        send(options, 0, 15);
        JobClient job = TestJob.start(options);
        awaitScored(options, 15);
        TimeUnit.SECONDS.sleep(6); // It looks at the topic every five seconds.
        recreate("running-in", 1);
        send(options, 0, 40);

        assertThatThrownBy(() -> job.getJobExecutionResult().get(1, TimeUnit.MINUTES))
                .satisfies(
                        failure ->
                                assertThat(ExceptionUtils.stringifyException(failure))
                                        // Kafka's consumer or the source notices it first.
                                        .containsPattern(
                                                "the topic (running-in )?was created anew( while the job runs)?: its id was"));
    }

    /** The state has a partition that the new topic lacks. */
    @Test
    void ofAPartitionThatIsGoneFailTheJobAtOnce() throws Exception {
        Configuration options = options("fewer", 2);
        send(options, 0, 15);
        stopWithSavepoint(options, 15);
        recreate("fewer-in", 1);

        assertThatThrownBy(
                        () ->
                                TestJob.start(options)
                                        .getJobExecutionResult()
                                        .get(1, TimeUnit.MINUTES))
                .satisfies(
                        failure ->
                                assertThat(ExceptionUtils.stringifyException(failure))
                                        .containsPattern(
                                                "fewer-in-1 at offset [0-9]+ \\(the topic has only 1 partitions now\\)"));
    }

    @Test
    void ofAPartitionThatIsGoneAreSkippedIfAllowed() throws Exception {
        Configuration options = options("dropped", 2);
        options.set(KafkaOptions.SOURCE_MISSING_OFFSETS, MissingOffsets.EARLIEST);
        send(options, 100, 115);
        stopWithSavepoint(options, 15);
        recreate("dropped-in", 1);
        send(options, 0, 5);

        JobClient job = TestJob.start(options);
        awaitScored(options, 20);
        job.cancel().get();
    }

    /** What is skipped is told where the user looks. */
    @Test
    void areNamedByProgress() throws Exception {
        Configuration options = options("told");
        options.set(KafkaOptions.SOURCE_MISSING_OFFSETS, MissingOffsets.EARLIEST);
        restoreBeforeTheCut(options);
        StringWriter out = new StringWriter();
        try (EmbeddedFlink flink = new EmbeddedFlink(ScoringJob.flinkOptions(options))) {
            TestJob.startWithProgress(flink, options, out);
            awaitText(out, "skipped");
        }
        assertThat(out.toString().lines())
                .contains(
                        "The partition told-in-0 goes on at offset 20 instead of 15: 5 records are"
                                + " skipped, as moe.source.missing-offsets (earliest) allows.");
    }

    /** The enumerator is created anew, and Flink keeps the group of its metrics. */
    @Tag("slow")
    @Test
    void areNamedByProgressAfterARestartOfTheEnumerator() throws Exception {
        Configuration options = options("again");
        options.set(KafkaOptions.SOURCE_MISSING_OFFSETS, MissingOffsets.EARLIEST);
        options.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        options.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 1_000);
        send(options, 0, 15);
        StringWriter out = new StringWriter();
        try (EmbeddedFlink flink = new EmbeddedFlink(ScoringJob.flinkOptions(options))) {
            TestJob.startWithProgress(flink, options, out);
            awaitScored(options, 15);
            TimeUnit.SECONDS.sleep(6); // It looks at the topic every five seconds.
            recreate("again-in", 1);
            send(options, 100, 140);
            // Instead of 15, or of 40: it may have read on before it looked at the topic.
            awaitText(out, "goes on at offset 0 instead of ");
        }
    }

    private static void awaitText(StringWriter out, String text) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofMinutes(1).toNanos();
        while (!out.toString().contains(text)) {
            assertThat(System.nanoTime()).as("time for %s", out).isLessThan(deadline);
            TimeUnit.MILLISECONDS.sleep(100);
        }
    }

    /** Retention removes records that an open transaction keeps from the job. */
    @Test
    void ofARunningJobFailIt() throws Exception {
        Configuration options = options("overtaken");
        send(options, 0, 5);
        JobClient job = TestJob.start(options);
        awaitScored(options, 5);
        Map<String, Object> transactional = Map.of("transactional.id", "open");
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers(), transactional)) {
            producer.initTransactions();
            producer.beginTransaction();
            send(producer, options, 5, 30);
            producer.flush();
            cut("overtaken-in", 20);

            assertThatThrownBy(() -> job.getJobExecutionResult().get(1, TimeUnit.MINUTES))
                    .satisfies(
                            failure ->
                                    assertThat(ExceptionUtils.stringifyException(failure))
                                            .contains(
                                                    "overtaken-in-0 at offset 5 (the topic has the offsets from 20 to 30)"));
        }
    }

    /** Kafka would skip them and say nothing. */
    @ParameterizedTest
    @CsvSource({"EARLIEST, 20", "LATEST, 30"})
    void ofARunningJobAreSkippedIfAllowed(MissingOffsets policy, long first) throws Exception {
        String name = "behind-" + policy;
        Configuration options = options(name);
        options.set(KafkaOptions.SOURCE_MISSING_OFFSETS, policy);
        options.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        send(options, 0, 5);
        Map<String, Object> transactional = Map.of("transactional.id", name);
        try (LogWatch log = LogWatch.forTexts(" goes on at offset ");
                KafkaProducer<byte[], byte[]> producer =
                        TestTopics.producer(broker.bootstrapServers(), transactional)) {
            JobClient job = TestJob.start(options);
            awaitScored(options, 5);
            producer.initTransactions();
            producer.beginTransaction();
            send(producer, options, 5, 30);
            producer.flush();
            cut(name + "-in", 20);
            awaitFound(log);
            producer.commitTransaction();
            send(options, 30, 34);
            awaitScored(options, 5 + 34 - (int) first);
            job.cancel().get();

            assertThat(log.found())
                    .first()
                    .asString()
                    .contains(
                            "The partition %s-in-0 goes on at offset %d instead of 5: "
                                    .formatted(name, first));
            assertThat(scored(options))
                    .containsExactlyElementsOf(
                            LongStream.concat(LongStream.range(0, 5), LongStream.range(first, 34))
                                    .boxed()
                                    .toList());
        }
    }

    /** A state with a mark instead of an offset would begin at the end once more. */
    @Test
    void areNotMadeByAStartAtTheEnd() throws Exception {
        Configuration options = options("latest");
        options.set(KafkaOptions.SOURCE_START, StartPosition.LATEST);
        send(options, 0, 4);
        stopWithSavepoint(options, 0);
        send(options, 4, 9);

        JobClient job = TestJob.start(options);
        awaitScored(options, 5);
        job.cancel().get();

        assertThat(scored(options)).containsExactly(4L, 5L, 6L, 7L, 8L);
    }

    /** The state is at offset 15, and the topic has the offsets from 20 to 21. */
    private static void restoreBeforeTheCut(Configuration options) throws Exception {
        StartPosition start = options.get(KafkaOptions.SOURCE_START);
        options.set(KafkaOptions.SOURCE_START, StartPosition.EARLIEST);
        send(options, 0, 15);
        stopWithSavepoint(options, 15);
        send(options, 15, 21);
        cut(options.get(KafkaOptions.SOURCE_TOPIC), 20);
        options.set(KafkaOptions.SOURCE_START, start);
    }

    /** Stops a job after it has scored tokens, and sets its options to go on from there. */
    private static void stopWithSavepoint(Configuration options, int scored) throws Exception {
        JobClient job = TestJob.start(options);
        awaitScored(options, scored);
        String savepoint =
                job.stopWithSavepoint(true, dir.resolve("savepoints").toUri().toString(), NATIVE)
                        .get(1, TimeUnit.MINUTES);
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
    }

    private static void awaitScored(Configuration options, int count) throws Exception {
        long deadline = System.nanoTime() + Duration.ofMinutes(1).toNanos();
        if (count == 0) { // The split has its offset once its reader has committed it.
            awaitCommitted(options, options.get(KafkaOptions.SOURCE_GROUP_ID));
        }
        while (scored(options).size() < count) {
            assertThat(System.nanoTime()).as("time to score").isLessThan(deadline);
        }
    }

    private static void awaitCommitted(Configuration options, String group) throws Exception {
        long deadline = System.nanoTime() + Duration.ofMinutes(1).toNanos();
        TopicPartition partition = new TopicPartition(options.get(KafkaOptions.SOURCE_TOPIC), 0);
        while (TestTopics.committed(broker.bootstrapServers(), group, partition) < 0) {
            assertThat(System.nanoTime()).as("time to start").isLessThan(deadline);
            TimeUnit.MILLISECONDS.sleep(100);
        }
    }

    private static void awaitFound(LogWatch log) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofMinutes(1).toNanos();
        while (log.found().isEmpty()) {
            assertThat(System.nanoTime()).as("time to log").isLessThan(deadline);
            TimeUnit.MILLISECONDS.sleep(100);
        }
    }

    private static void cut(String topic, long offset) throws Exception {
        admin.deleteRecords(
                        Map.of(new TopicPartition(topic, 0), RecordsToDelete.beforeOffset(offset)))
                .all()
                .get();
    }

    /** Deleting a topic takes a moment. */
    private static void recreate(String topic, int partitions) throws Exception {
        admin.deleteTopics(List.of(topic)).all().get();
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (admin.listTopics().names().get().contains(topic)) {
            assertThat(System.nanoTime()).as("time to delete").isLessThan(deadline);
            TimeUnit.MILLISECONDS.sleep(100);
        }
        broker.createTopic(topic, partitions, Map.of());
    }

    private static Configuration options(String name) throws IOException {
        return options(name, 1);
    }

    private static Configuration options(String name, int partitions) throws IOException {
        Configuration options = TestJob.options(broker, bundle, name, partitions);
        options.set(KafkaOptions.SOURCE_GROUP_ID, name);
        options.set(KafkaOptions.SOURCE_STOP, KafkaOptions.Stop.NEVER);
        options.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        return options;
    }

    private static void send(Configuration options, int from, int to) {
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers())) {
            send(producer, options, from, to);
        }
    }

    private static void send(
            KafkaProducer<byte[], byte[]> producer, Configuration options, int from, int to) {
        String topic = options.get(KafkaOptions.SOURCE_TOPIC);
        TokenEncoder encoder = TokenEncoder.singleObject();
        for (int i = from; i < to; i++) {
            float[] features = FlightsBundle.features(new Random(i));
            producer.send(new ProducerRecord<>(topic, encoder.encode("s", i, i, features)));
        }
    }

    /** The positions of the answers. */
    private static TreeSet<Long> scored(Configuration options) throws IOException {
        TreeSet<Long> positions = new TreeSet<>();
        for (ConsumerRecord<byte[], byte[]> record :
                TestTopics.readCommitted(
                        broker.bootstrapServers(), options.get(KafkaOptions.SINK_TOPIC))) {
            positions.add(
                    ScoredToken.fromByteBuffer(ByteBuffer.wrap(record.value())).getPosition());
        }
        return positions;
    }
}
