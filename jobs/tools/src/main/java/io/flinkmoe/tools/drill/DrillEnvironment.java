// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.api.Token;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.tools.cluster.ClusterRest;
import io.flinkmoe.tools.cluster.ClusterSettings;
import io.flinkmoe.tools.cluster.LocalCluster;
import io.flinkmoe.tools.flights.Flights;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.config.TopicConfig;

/**
 * The environment of a drill: the flights model, a Kafka broker, and a cluster of real processes.
 */
@Internal
final class DrillEnvironment implements AutoCloseable {

    static final int PARTITIONS = 4;

    /**
     * The names of checkpoint and savepoint folders. Their parent also has folders with shared
     * files.
     */
    private static final Pattern SNAPSHOT = Pattern.compile("chk-|savepoint-");

    private final Path folder;
    private final KafkaBroker broker;
    private final LocalCluster cluster;
    private final ClusterRest rest;
    private final JobWatch jobs;

    private DrillEnvironment(
            Path folder, KafkaBroker broker, LocalCluster cluster, ClusterRest rest) {
        this.folder = folder;
        this.broker = broker;
        this.cluster = cluster;
        this.rest = rest;
        this.jobs = new JobWatch(rest);
    }

    /**
     * Sets up the environment.
     *
     * @param folder the folder for all files
     */
    static DrillEnvironment open(Path folder, Installation installation, ClusterSettings settings)
            throws IOException {
        Path flights = installation.flights();
        CheckpointImporter.importBundle(
                flights.resolve("checkpoint"),
                flights.resolve("encoder.onnx"),
                flights.resolve("head.onnx"),
                folder.resolve("bundle"));
        KafkaBroker broker = KafkaBroker.start(folder.resolve("kafka"));
        LocalCluster cluster = null;
        try {
            cluster =
                    LocalCluster.startForThisProcess(
                            folder.resolve("cluster"), installation, settings);
            return new DrillEnvironment(folder, broker, cluster, cluster.rest());
        } catch (IOException | RuntimeException e) {
            if (cluster != null) {
                cluster.close();
            }
            broker.close();
            throw e;
        }
    }

    KafkaBroker broker() {
        return broker;
    }

    LocalCluster cluster() {
        return cluster;
    }

    ClusterRest rest() {
        return rest;
    }

    /** Waits for conditions of jobs. */
    JobWatch jobs() {
        return jobs;
    }

    String brokers() {
        return broker.bootstrapServers();
    }

    /** Creates a topic whose timestamps the broker sets. */
    void createTopic(String name) throws IOException {
        broker.createTopic(
                name,
                PARTITIONS,
                Map.of(TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG, "LogAppendTime"));
    }

    /**
     * The options of the job that a drill runs.
     *
     * @param mode how the job admits tokens
     * @param source the topic to read
     * @param name the topic for the results, which is created
     */
    Configuration options(DrillMode mode, String source, String name) throws IOException {
        createTopic(name);
        createTopic(deadLetters(name));
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, folder.resolve("bundle").toString());
        mode.configure(options);
        options.set(KafkaOptions.BROKERS, brokers());
        options.set(KafkaOptions.SOURCE_TOPIC, source);
        options.set(KafkaOptions.SOURCE_GROUP_ID, name);
        options.set(KafkaOptions.SOURCE_MAX_OUT_OF_ORDERNESS, DrillStream.MAX_OUT_OF_ORDERNESS);
        options.set(KafkaOptions.SOURCE_IDLE_TIMEOUT, Duration.ZERO);
        options.set(KafkaOptions.SOURCE_MAX_BEHIND, Flights.AGE);
        options.set(KafkaOptions.SINK_TOPIC, name);
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, deadLetters(name));
        options.set(CoreOptions.DEFAULT_PARALLELISM, 2);
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofSeconds(1));
        options.set(
                CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
        options.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        options.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 1_000);
        options.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(500));
        return options;
    }

    /** Adapts the options to a source that always has more records. */
    static void runAtFullSpeed(Configuration options) {
        options.set(KafkaOptions.PROPERTIES, Map.of("compression.type", "lz4"));
        // Otherwise a partition that is read faster fills the state with windows that cannot close.
        options.set(KafkaOptions.SOURCE_MAX_DRIFT, Duration.ofHours(6));
    }

    static String deadLetters(String name) {
        return name + "-dead-letters";
    }

    /** Creates a producer that sends a stream to a topic after it is started. */
    DrillProducer producer(
            String topic, DrillStream stream, SendRate rate, Consumer<Token> beforeSend) {
        return new DrillProducer(topic(topic), stream, rate, beforeSend);
    }

    /** A topic with {@link #PARTITIONS} partitions. */
    DrillProducer.Topic topic(String name) {
        return new DrillProducer.Topic(brokers(), name, PARTITIONS);
    }

    /** Starts a job on the cluster, and waits until all its tasks run. */
    JobID submit(Configuration options) throws Exception {
        StreamExecutionEnvironment env =
                new StreamExecutionEnvironment(
                        cluster.jobOptions(ScoringJob.flinkOptions(options)));
        ScoringJob.build(env, options);
        JobID job = env.executeAsync(options.get(KafkaOptions.SINK_TOPIC)).getJobID();
        jobs.await("all its tasks run", job, () -> rest.allTasksRun(job));
        return job;
    }

    /** Runs a job on all records that its source contains now. */
    void run(Configuration options) throws Exception {
        options.set(KafkaOptions.SOURCE_STOP, KafkaOptions.Stop.LATEST);
        StreamExecutionEnvironment env =
                new StreamExecutionEnvironment(
                        cluster.jobOptions(ScoringJob.flinkOptions(options)));
        ScoringJob.build(env, options);
        JobID job = env.executeAsync(options.get(KafkaOptions.SINK_TOPIC)).getJobID();
        jobs.await("it has finished", job, () -> rest.status(job) == JobStatus.FINISHED);
    }

    /**
     * Waits until a job has read its source to the current end, and a checkpoint has recorded this.
     * There is no time limit as long as the job makes progress.
     */
    void awaitConsumed(JobID job, Configuration options) throws Exception {
        long end = DrillAnswers.end(brokers(), options.get(KafkaOptions.SOURCE_TOPIC));
        try (Admin admin = admin()) {
            for (long read = 0; read < end; read = consumed(admin, options)) {
                long before = read;
                jobs.await(
                        "it has read more records", job, () -> consumed(admin, options) > before);
            }
        }
    }

    Admin admin() {
        return Admin.create(Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, (Object) brokers()));
    }

    /** The number of source records that a job had read at its last checkpoint. */
    static long consumed(Admin admin, Configuration options) throws IOException {
        try {
            return admin
                    .listConsumerGroupOffsets(options.get(KafkaOptions.SOURCE_GROUP_ID))
                    .partitionsToOffsetAndMetadata()
                    .get()
                    .values()
                    .stream()
                    .mapToLong(OffsetAndMetadata::offset)
                    .sum();
        } catch (ExecutionException e) {
            throw new IOException(
                    "cannot read the offsets of the consumer group: " + e.getCause(), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while reading the offsets of the consumer group", e);
        }
    }

    /**
     * The folders of a job's checkpoints, or of all savepoints. A folder is created when a
     * checkpoint or savepoint begins.
     */
    Set<Path> snapshots(JobID job, boolean savepoints) throws IOException {
        Configuration options = cluster.options();
        Path parent =
                savepoints
                        ? folder(options.get(CheckpointingOptions.SAVEPOINT_DIRECTORY))
                        : folder(options.get(CheckpointingOptions.CHECKPOINTS_DIRECTORY))
                                .resolve(job.toString());
        if (!Files.isDirectory(parent)) {
            return Set.of();
        }
        try (Stream<Path> folders = Files.list(parent)) {
            return folders.filter(
                            folder -> SNAPSHOT.matcher(folder.getFileName().toString()).lookingAt())
                    .collect(Collectors.toSet());
        }
    }

    private static Path folder(String uri) {
        return Path.of(URI.create(uri));
    }

    @Override
    public void close() throws IOException {
        rest.close();
        cluster.close();
        broker.close();
    }
}
