// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.schemas.ScoredToken;
import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.tools.flights.FlightsBundle;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.kafka.TestTopics;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Kafka's transactions, those that the job reads and those that it writes. */
class TransactionsIT {

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
    @CsvSource({"'', 5", "'isolation.level: read_uncommitted', 0"})
    void scoresWhatIsCommittedUnlessToldOtherwise(String properties, long first) throws Exception {
        Configuration options = options("read-from-" + first);
        options.setString("moe.kafka.properties", "{%s}".formatted(properties));
        Map<String, Object> settings = Map.of("transactional.id", "input-from-" + first);
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers(), settings)) {
            producer.initTransactions();
            producer.beginTransaction();
            send(producer, options, 0, 5);
            producer.flush(); // Aborted before it is sent, nothing of it would be in the topic.
            producer.abortTransaction();
            producer.beginTransaction();
            send(producer, options, 5, 10);
            producer.commitTransaction();
        }

        TestJob.start(options).getJobExecutionResult().get();

        Set<Long> positions = new TreeSet<>();
        for (ConsumerRecord<byte[], byte[]> record : read(options)) {
            positions.add(
                    ScoredToken.fromByteBuffer(ByteBuffer.wrap(record.value())).getPosition());
        }
        assertThat(positions)
                .containsExactlyElementsOf(LongStream.range(first, 10).boxed().toList());
    }

    /** A cluster runs many jobs, and a job may restart often. */
    @Test
    void noClientOutlivesItsJob() throws Exception {
        Configuration options = options("clients");
        send(options);
        Set<Thread> before = clientThreads();

        TestJob.start(options).getJobExecutionResult().get();

        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!before.containsAll(clientThreads()) && System.nanoTime() < deadline) {
            TimeUnit.MILLISECONDS.sleep(100);
        }
        assertThat(before).containsAll(clientThreads());
    }

    private static Set<Thread> clientThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("kafka-"))
                .collect(Collectors.toSet());
    }

    @Test
    void writesInTransactionsThatBeginWithGroupAndTopic() throws Exception {
        Configuration options = options("default");
        options.set(KafkaOptions.SOURCE_GROUP_ID, "group");
        Set<String> before = transactions();
        send(options);

        TestJob.start(options).getJobExecutionResult().get();

        assertNew(before, "group/default-out-scored-token-sink-", "group/default-out-dead-letter-");
        assertThat(read(options)).hasSize(10);
    }

    @Test
    void writesInTransactionsOfTheNameAndTimeoutAsked() throws Exception {
        Configuration options = options("named");
        options.set(KafkaOptions.SINK_TRANSACTIONAL_ID_PREFIX, "mine");
        options.set(KafkaOptions.SINK_TRANSACTION_TIMEOUT, Duration.ofMinutes(7));
        Set<String> before = transactions();
        send(options);

        TestJob.start(options).getJobExecutionResult().get();

        Set<String> found = assertNew(before, "mine-scored-token-sink-", "mine-dead-letter-sink-");
        assertThat(admin.describeTransactions(found).all().get().values())
                .extracting(TransactionDescription::transactionTimeoutMs)
                .containsOnly(420_000L);
    }

    /** Ten checkpoints a second, each with a transaction per sink. */
    @Test
    void reusesAFewIdsHoweverLongItRuns() throws Exception {
        Configuration options = options("pooled");
        options.set(KafkaOptions.SOURCE_STOP, KafkaOptions.Stop.NEVER);
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(100));
        Set<String> before = transactions();
        JobClient job = TestJob.start(options);
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers())) {
            for (int i = 0; i < 40; i++) {
                send(producer, options, i, i + 1);
                producer.flush();
                TimeUnit.MILLISECONDS.sleep(100);
            }
        }
        await(options, 40);
        job.cancel().get();

        Set<String> found = transactions();
        found.removeAll(before);
        assertThat(found).hasSizeLessThanOrEqualTo(2 * 3);
    }

    /** The ids of the savepoint's transactions have been used again since. */
    @Test
    void restoresAnOlderSavepoint() throws Exception {
        Configuration options = options("older");
        options.set(KafkaOptions.SOURCE_STOP, KafkaOptions.Stop.NEVER);
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(100));
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers())) {
            JobClient job = TestJob.start(options);
            send(producer, options, 0, 10);
            await(options, 10);
            String savepoint =
                    job.triggerSavepoint(
                                    dir.resolve("savepoints").toUri().toString(),
                                    SavepointFormatType.CANONICAL)
                            .get();
            for (int i = 10; i < 20; i++) {
                send(producer, options, i, i + 1);
                await(options, i + 1);
            }
            job.cancel().get();

            options.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
            job = TestJob.start(options);
            send(producer, options, 20, 30);
            await(options, 40); // Those since the savepoint are there twice.
            job.cancel().get();
        }

        List<Long> positions = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : read(options)) {
            positions.add(
                    ScoredToken.fromByteBuffer(ByteBuffer.wrap(record.value())).getPosition());
        }
        assertThat(positions)
                .containsExactlyElementsOf(
                        LongStream.concat(LongStream.range(0, 20), LongStream.range(10, 30))
                                .boxed()
                                .toList());
    }

    /** No checkpoint ends before the test does, so that no transaction would be committed. */
    @Test
    void writesAtOnceAndWithoutTransactionsIfOnceIsNotAskedFor() throws Exception {
        Configuration options = options("at-least-once");
        options.set(KafkaOptions.SINK_DELIVERY, KafkaOptions.Delivery.AT_LEAST_ONCE);
        options.set(KafkaOptions.SOURCE_STOP, KafkaOptions.Stop.NEVER);
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofHours(1));
        Set<String> before = transactions();
        send(options);

        JobClient job = TestJob.start(options);
        try {
            await(options, 10);
        } finally {
            job.cancel().get();
        }

        assertThat(transactions()).isEqualTo(before);
    }

    /** Waits until so many answers can be read. */
    private static void await(Configuration options, int answers) {
        long deadline = System.nanoTime() + Duration.ofMinutes(1).toNanos();
        while (read(options).size() < answers) {
            assertThat(System.nanoTime()).as("time to wait").isLessThan(deadline);
        }
    }

    /** All transactions that are new begin with one of these names, and with each begin some. */
    private static Set<String> assertNew(Set<String> before, String... names) throws Exception {
        Set<String> found = transactions();
        found.removeAll(before);
        for (String name : names) {
            assertThat(found).anyMatch(id -> id.startsWith(name));
        }
        assertThat(found).allMatch(id -> Set.of(names).stream().anyMatch(id::startsWith));
        return found;
    }

    private static Set<String> transactions() throws Exception {
        return admin.listTransactions().all().get().stream()
                .map(TransactionListing::transactionalId)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static Configuration options(String name) throws IOException {
        return TestJob.options(broker, bundle, name, 1);
    }

    private static void send(Configuration options) {
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers())) {
            send(producer, options, 0, 10);
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

    private static List<ConsumerRecord<byte[], byte[]>> read(Configuration options) {
        return TestTopics.readCommitted(
                broker.bootstrapServers(), options.get(KafkaOptions.SINK_TOPIC));
    }
}
