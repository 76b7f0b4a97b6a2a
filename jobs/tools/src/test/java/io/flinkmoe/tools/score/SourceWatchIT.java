// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.kafka.source.Claim;
import io.flinkmoe.kafka.source.GroupOwners;
import io.flinkmoe.kafka.source.MissingOffsets;
import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.scoring.GroupCheck;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.tools.flights.FlightsBundle;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.kafka.TestTopics;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.ExceptionUtils;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** What the source watches while it runs: other jobs, open transactions, slow partitions. */
class SourceWatchIT {

    private static final Duration PATIENCE = Duration.ofMinutes(1);

    @RegisterExtension private static final MiniClusterExtension CLUSTER = TestJob.cluster();

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

    @Test
    void aSecondStartSeesTheFirstJobAndWaitsForItsEndIfAsked() throws Exception {
        Configuration options = options("second", 1);
        JobClient first = TestJob.start(options);
        awaitOwner("second");
        List<String> messages = new ArrayList<>();

        assertThatThrownBy(() -> GroupCheck.awaitFree(options, new Configuration(), messages::add))
                .isInstanceOf(IOException.class)
                .hasMessageMatching(
                        "the job %s on .+ uses the consumer group second; stop it first, .*--take-over .*"
                                .formatted(first.getJobID()));
        assertThat(messages)
                .singleElement()
                .asString()
                .startsWith("the job " + first.getJobID())
                .endsWith(" uses the consumer group second; waits 12 s, in case it has died");

        options.set(KafkaOptions.TAKE_OVER, true);
        CompletableFuture<Void> takeOver =
                CompletableFuture.runAsync(
                        () -> {
                            try {
                                GroupCheck.awaitFree(options, new Configuration(), message -> {});
                            } catch (IOException e) {
                                throw new IllegalStateException(e);
                            }
                        });
        TimeUnit.SECONDS.sleep(1);
        assertThat(takeOver).isNotDone();
        first.cancel().get();
        // It leaves the group, so nobody has to wait until its session ends.
        takeOver.get(5, TimeUnit.SECONDS);
    }

    /** Two starts at the same moment both find the group free. Only one job goes on. */
    @Test
    void aSecondJobEndsTheFirst() throws Exception {
        Configuration options = options("twins", 1);
        JobClient first = TestJob.start(options);
        awaitOwner("twins");

        JobClient second = TestJob.start(options);

        // They share both, and either may be noticed first.
        assertReplaced(
                first, second, "the (consumer group|transactional ids that begin with) twins");
        second.cancel().get();
    }

    /** The jobs have only the group and the answers' topic in common. */
    @Test
    void aSecondJobEndsTheFirstThoughItReadsAnotherTopic() throws Exception {
        Configuration options = options("same", 1);
        Configuration others = options("other", 2);
        others.set(KafkaOptions.SOURCE_GROUP_ID, "same");
        others.set(KafkaOptions.SINK_TOPIC, "same-out");
        JobClient first = TestJob.start(options);
        awaitOwner("same");
        List<String> messages = new ArrayList<>();
        GroupCheck.warn(others, messages::add);
        assertThat(messages)
                .singleElement()
                .asString()
                .startsWith("the job " + first.getJobID())
                .contains(" uses the consumer group same; ");

        JobClient second = TestJob.start(others);

        // They share both, and either may be noticed first.
        assertReplaced(
                first, second, "the (consumer group|transactional ids that begin with) same");
        messages.clear();
        GroupCheck.warn(options, messages::add);
        assertThat(messages).singleElement().asString().startsWith("the job " + second.getJobID());
        second.cancel().get();
    }

    @Test
    void onlyOneJobUsesTransactionalIds() throws Exception {
        Configuration options = options("ids", 1);
        options.set(KafkaOptions.SINK_TRANSACTIONAL_ID_PREFIX, "mine");
        Configuration others = options("more-ids", 1);
        others.set(KafkaOptions.SINK_TRANSACTIONAL_ID_PREFIX, "mine");
        JobClient first = TestJob.start(options);
        awaitOwner(Claim.ofTransactionalIds("mine"));
        List<String> messages = new ArrayList<>();
        GroupCheck.warn(others, messages::add);
        assertThat(messages)
                .singleElement()
                .asString()
                .startsWith("the job " + first.getJobID())
                .contains(
                        " uses the transactional ids that begin with mine; stop it first, give this"
                                + " job another moe.sink.transactional-id-prefix, or start with");

        JobClient second = TestJob.start(others);

        assertReplaced(first, second, "the transactional ids that begin with mine");
        second.cancel().get();
    }

    private static void assertReplaced(JobClient first, JobClient second, String what)
            throws Exception {
        assertThatThrownBy(() -> first.getJobExecutionResult().get(1, TimeUnit.MINUTES))
                .satisfies(
                        failure ->
                                assertThat(ExceptionUtils.stringifyException(failure))
                                        .containsPattern(
                                                "the job %s on .+ has started and also uses %s"
                                                        .formatted(second.getJobID(), what)));
        assertThat(second.getJobStatus().get().isTerminalState()).isFalse();
    }

    /** Kafka refuses the offsets of a job whose group has members. */
    @Test
    void anOrdinaryConsumerInTheGroupIsNamedAtTheStartAndByProgress() throws Exception {
        Configuration options = options("shared", 1);
        StringWriter out = new StringWriter();
        List<String> messages = new ArrayList<>();
        Map<String, Object> settings =
                Map.of(
                        "bootstrap.servers",
                        broker.bootstrapServers(),
                        "group.id",
                        "shared",
                        "client.id",
                        "their-app");
        try (KafkaConsumer<byte[], byte[]> consumer =
                        new KafkaConsumer<>(
                                settings,
                                new ByteArrayDeserializer(),
                                new ByteArrayDeserializer());
                EmbeddedFlink flink = new EmbeddedFlink(ScoringJob.flinkOptions(options))) {
            consumer.subscribe(List.of("shared-in"));
            await(
                    () -> {
                        consumer.poll(Duration.ofMillis(100));
                        return !consumer.assignment().isEmpty();
                    });

            GroupCheck.warn(options, messages::add);
            TestJob.startWithProgress(flink, options, out);

            await(
                    () -> {
                        consumer.poll(Duration.ofMillis(10));
                        return out.toString().contains("Kafka refuses");
                    });
        }
        assertThat(messages)
                .singleElement()
                .asString()
                .matches(
                        "the consumer their-app on .+ is a member of the consumer group shared; stop it"
                                + " first, give this job another moe\\.source\\.group-id, or .*");
        assertThat(out.toString())
                .containsPattern(
                        "The consumer their-app on .+ is a member of the consumer group shared: Kafka"
                                + " refuses the offsets that this job commits\\.");
    }

    @Test
    void progressNamesAnOpenTransaction() throws Exception {
        Configuration options = options("open", 2);
        Map<String, Object> transactional = Map.of("transactional.id", "dead-producer");
        StringWriter out = new StringWriter();
        try (KafkaProducer<byte[], byte[]> dead =
                        TestTopics.producer(broker.bootstrapServers(), transactional);
                KafkaProducer<byte[], byte[]> alive =
                        TestTopics.producer(broker.bootstrapServers());
                EmbeddedFlink flink = new EmbeddedFlink(ScoringJob.flinkOptions(options))) {
            dead.initTransactions();
            dead.beginTransaction();
            send(dead, "open-in", 1, 0, System.currentTimeMillis(), 1);
            dead.flush();
            send(alive, "open-in", 1, 1, System.currentTimeMillis(), 50);
            alive.flush();

            TestJob.startWithProgress(flink, options, out);

            await(() -> out.toString().contains("waits for"));
        }
        assertThat(out.toString())
                .containsPattern(
                        "The partition open-in-1 waits for an open transaction of the producer"
                                + " 'dead-producer', since 20[0-9-]+T[0-9:]+Z: 51 records wait\\.");
    }

    /** Kafka then reports a stable offset between the transaction and the first record. */
    @Tag("slow")
    @Test
    void progressNamesAnOpenTransactionWhoseFirstRecordsAreGone() throws Exception {
        Configuration options = options("gone", 1);
        options.set(KafkaOptions.SOURCE_MISSING_OFFSETS, MissingOffsets.EARLIEST);
        Map<String, Object> settings = Map.of("bootstrap.servers", broker.bootstrapServers());
        Map<String, Object> transactional = Map.of("transactional.id", "long-dead");
        StringWriter out = new StringWriter();
        try (Admin admin = Admin.create(settings);
                KafkaProducer<byte[], byte[]> dead =
                        TestTopics.producer(broker.bootstrapServers(), transactional);
                KafkaProducer<byte[], byte[]> alive =
                        TestTopics.producer(broker.bootstrapServers());
                EmbeddedFlink flink = new EmbeddedFlink(ScoringJob.flinkOptions(options))) {
            dead.initTransactions();
            dead.beginTransaction();
            send(dead, "gone-in", 0, 0, System.currentTimeMillis(), 1);
            dead.flush();
            send(alive, "gone-in", 0, 1, System.currentTimeMillis(), 25);
            alive.flush();
            RecordsToDelete cut = RecordsToDelete.beforeOffset(20);
            admin.deleteRecords(Map.of(new TopicPartition("gone-in", 0), cut)).all().get();

            TestJob.startWithProgress(flink, options, out);

            await(() -> out.toString().contains("waits for"));
        }
        assertThat(out.toString())
                .containsPattern(
                        "The partition gone-in-0 waits for an open transaction of the producer"
                                + " 'long-dead', since 20[0-9-]+T[0-9:]+Z: 6 records wait\\.");
    }

    /** The tokens of one partition have a timestamp of a year ago. */
    @Test
    @Tag("slow")
    void progressNamesAPartitionThatHoldsBackTheOthers() throws Exception {
        Configuration options = options("slow", 3);
        options.setString("moe.capacity.policy", "fixed");
        options.setString("moe.capacity.size", "1000");
        StringWriter out = new StringWriter();
        try (KafkaProducer<byte[], byte[]> producer =
                        TestTopics.producer(broker.bootstrapServers());
                EmbeddedFlink flink = new EmbeddedFlink(ScoringJob.flinkOptions(options))) {
            long now = System.currentTimeMillis();
            TestJob.startWithProgress(flink, options, out);

            int[] position = {0};
            await(
                    () -> {
                        long old = now - Duration.ofDays(365).toMillis();
                        send(producer, "slow-in", 0, position[0], now, 1);
                        send(producer, "slow-in", 1, position[0], old, 1);
                        send(producer, "slow-in", 2, position[0], now, 1);
                        position[0]++;
                        return out.toString().contains("holds back");
                    });
        }
        assertThat(out.toString())
                .containsPattern(
                        "The partition slow-in-1 holds back the event time of all others: it is at"
                                + " 20[0-9-]+T[0-9:.]+Z, and the next slowest is at");
    }

    /** Each reader has one partition. That of the first one has seconds instead of milliseconds. */
    @Test
    void aPartitionOfOldTimestampsDoesNotHoldBackTheOtherReader() throws Exception {
        Configuration options = options("seconds", 2);
        options.setString("moe.capacity.policy", "fixed");
        options.setString("moe.capacity.size", "1000");
        options.setString("moe.capacity.window.size", "1 s");
        options.setString("moe.capacity.admission", "prioritized");
        options.setString("execution.checkpointing.dir", dir.resolve("state").toUri().toString());
        options.set(KafkaOptions.SOURCE_IDLE_TIMEOUT, Duration.ZERO);
        options.setString("parallelism.default", "2");
        StringWriter out = new StringWriter();
        try (KafkaProducer<byte[], byte[]> producer =
                        TestTopics.producer(broker.bootstrapServers());
                EmbeddedFlink flink = new EmbeddedFlink(ScoringJob.flinkOptions(options))) {
            long now = System.currentTimeMillis();
            send(producer, "seconds-in", 0, 0, now / 1_000, 10);
            send(producer, "seconds-in", 1, 0, now, 20);
            send(producer, "seconds-in", 1, 20, now + 60_000, 1);
            producer.flush();

            TestJob.startWithProgress(flink, options, out);

            await(() -> out.toString().contains("scored 30"));
        }
    }

    private static Configuration options(String name, int partitions) throws IOException {
        Configuration options = TestJob.options(broker, bundle, name, partitions);
        options.set(KafkaOptions.SOURCE_STOP, KafkaOptions.Stop.NEVER);
        options.set(KafkaOptions.SOURCE_GROUP_ID, name);
        options.setString("parallelism.default", "1");
        return options;
    }

    /** Waits until a job has joined the group of the owner, and said who it is. */
    private static void awaitOwner(String group) throws Exception {
        awaitOwner(Claim.ofGroup(group));
    }

    private static void awaitOwner(Claim claim) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()))) {
            await(
                    () -> {
                        try {
                            return GroupOwners.find(admin, claim)
                                    .filter(owner -> !owner.job().isEmpty())
                                    .isPresent();
                        } catch (ExecutionException | InterruptedException e) {
                            throw new IllegalStateException(e);
                        }
                    });
        }
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("time to wait").isLessThan(deadline);
            TimeUnit.MILLISECONDS.sleep(100);
        }
    }

    private static void send(
            KafkaProducer<byte[], byte[]> producer,
            String topic,
            int partition,
            int first,
            long timestamp,
            int count) {
        TokenEncoder encoder = TokenEncoder.singleObject();
        for (int i = first; i < first + count; i++) {
            byte[] value =
                    encoder.encode(
                            "s" + partition, i, timestamp, FlightsBundle.features(new Random(i)));
            producer.send(new ProducerRecord<>(topic, partition, "s".getBytes(UTF_8), value));
        }
    }
}
