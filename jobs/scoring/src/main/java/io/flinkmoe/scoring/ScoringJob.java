// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.MoeResult;
import io.flinkmoe.api.Arrival;
import io.flinkmoe.config.Footprint;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.kafka.DecisionSerializer;
import io.flinkmoe.kafka.RecordFormat;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.kafka.TimestampRules;
import io.flinkmoe.kafka.TokenSerializer;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.scoring.record.JobRecords;
import io.flinkmoe.scoring.record.OwnRecords;
import io.flinkmoe.scoring.record.RecordContext;
import io.flinkmoe.scoring.record.RecordContext.Savepoint;
import io.flinkmoe.scoring.record.RecordOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The scoring job: reads tokens from Kafka, scores them with the layers of a bundle, and writes the
 * results to Kafka.
 */
@Internal
public final class ScoringJob {

    static final String SCORED_SINK_UID = "scored-token-sink";
    static final String DEAD_LETTER_SINK_UID = "dead-letter-sink";
    static final String DECISION_SINK_UID = "decision-sink";
    static final String LATE_SINK_UID = "late-token-sink";

    private static final Logger LOG = LoggerFactory.getLogger(ScoringJob.class);

    private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(10);

    private ScoringJob() {}

    /**
     * Checks options before any connection is opened.
     *
     * @throws IllegalConfigurationException if options are missing or inconsistent; the message
     *     lists all errors
     */
    public static void check(Configuration options) {
        KafkaOptionsCheck.check(options);
    }

    /**
     * Builds the job as {@link #build(StreamExecutionEnvironment, Configuration, Consumer)} does,
     * and logs the warnings.
     */
    public static MoeResult build(StreamExecutionEnvironment env, Configuration options)
            throws IOException {
        return build(env, options, LOG::warn);
    }

    /**
     * Checks the options, the bundle and Kafka, and builds the job in an environment. The caller
     * executes it.
     *
     * @param options the {@link KafkaOptions}, the {@link io.flinkmoe.config.MoeOptions} and the
     *     Flink options of the job
     * @param warnings receives what works but loses records, and what cannot be checked
     * @return the streams between layers and sinks, for callers that also consume them
     * @throws IllegalConfigurationException if options are missing or inconsistent; the message
     *     lists all errors
     * @throws IOException if Kafka or the bundle cannot be used
     */
    public static MoeResult build(
            StreamExecutionEnvironment env, Configuration options, Consumer<String> warnings)
            throws IOException {
        return build(env, options, warnings, true).result();
    }

    /**
     * Builds the job as {@link #build(StreamExecutionEnvironment, Configuration, Consumer)} does,
     * but registers no schema. It is to be printed, and not to be executed.
     *
     * @return the schemas of its records and answers
     */
    public static PinnedSchemas plan(
            StreamExecutionEnvironment env, Configuration options, Consumer<String> warnings)
            throws IOException {
        return build(env, options, warnings, false).schemas();
    }

    private record Built(MoeResult result, PinnedSchemas schemas) {}

    private static Built build(
            StreamExecutionEnvironment env,
            Configuration options,
            Consumer<String> warnings,
            boolean registers)
            throws IOException {
        KafkaOptionsCheck.check(options);
        configure(env, options, warnings);
        MoeLayers.Builder builder =
                MoeLayers.builder(options)
                        .maxOutOfOrderness(options.get(KafkaOptions.SOURCE_MAX_OUT_OF_ORDERNESS));
        if (options.contains(KafkaOptions.DECISION_LOG_TOPIC)) {
            builder.decisionLog();
        }
        if (options.contains(KafkaOptions.LATE_TOPIC)) {
            builder.divertLateTokens();
        }
        MoeLayers layers = builder.build();
        IdempotentRules.checkModel(options, layers.warning());
        layers.warning().ifPresent(warnings);
        JobRecords records = records(env, options, layers);
        records.warnings().forEach(warnings);
        Footprint footprint = layers.footprint();
        Map<ConfigOption<String>, Long> largest = MessageSize.require(options, footprint.spec());
        KafkaPreflight.Topics topics = KafkaPreflight.check(options, largest, warnings);
        logFootprint(footprint);
        KafkaRecordDeserializationSchema<Arrival> deserializer =
                records.deserializer(
                        MessageSize.largestKept(
                                options, footprint.spec(), topics.maxAnswerBytes()));
        PinnedSchemas schemas = records.pin(registers);
        for (String name : PinnedSchemas.NAMES) {
            schemas.get(name).ifPresent(pinned -> LOG.info("The schema of {}s: {}", name, pinned));
        }

        DataStream<Arrival> arrivals =
                env.fromSource(
                                KafkaInput.source(
                                        options, deserializer, schemas, layers.hasWindows()),
                                KafkaInput.watermarks(options),
                                KafkaInput.SOURCE_UID,
                                deserializer.getProducedType())
                        .uid(KafkaInput.SOURCE_UID)
                        // A subtask without a partition would not emit a watermark.
                        .setParallelism(
                                Math.min(
                                        Math.max(env.getParallelism(), 1),
                                        topics.sourcePartitions()))
                        .setMaxParallelism(KafkaOutput.MAX_PARALLELISM);
        MoeResult result = layers.scoreArrivals(arrivals);
        RecordFormat format = RecordOptions.ofTokens(options);
        RecordKey recordKey = KafkaOutput.recordKey(options);
        KafkaOutput.write(
                result.scored(),
                records.answers(options.get(KafkaOptions.SINK_TOPIC), recordKey, schemas),
                SCORED_SINK_UID,
                options);
        KafkaOutput.write(
                result.deadLetters(),
                records.deadLetters(
                        options.get(KafkaOptions.DEAD_LETTER_TOPIC),
                        MessageSize.largestField(options, topics.maxLetterBytes())),
                DEAD_LETTER_SINK_UID,
                options);
        if (options.contains(KafkaOptions.DECISION_LOG_TOPIC)) {
            String topic = options.get(KafkaOptions.DECISION_LOG_TOPIC);
            KafkaOutput.write(
                    result.decisions(),
                    new DecisionSerializer(topic, format, recordKey),
                    DECISION_SINK_UID,
                    options);
        }
        if (options.contains(KafkaOptions.LATE_TOPIC)) {
            String topic = options.get(KafkaOptions.LATE_TOPIC);
            KafkaOutput.write(
                    result.lateTokens(),
                    new TokenSerializer(topic, format),
                    LATE_SINK_UID,
                    options);
        }
        return new Built(result, schemas);
    }

    private static JobRecords records(
            StreamExecutionEnvironment env, ReadableConfig options, MoeLayers layers)
            throws IOException {
        TimestampRules timestamps = KafkaInput.timestamps(options, layers.hasWindows());
        if (options.get(RecordOptions.FORMAT).isToken()) {
            return new TokenRecords(options, layers.inputs(), timestamps);
        }
        RecordContext job =
                new RecordContext(
                        options,
                        options.get(KafkaOptions.SOURCE_TOPIC),
                        options.get(KafkaOptions.SINK_TOPIC),
                        env.getConfiguration()
                                .getOptional(StateRecoveryOptions.SAVEPOINT_PATH)
                                .map(path -> new Savepoint(path, KafkaInput.SOURCE_UID)));
        return OwnRecords.of(job, layers, timestamps);
    }

    /**
     * The options without those of flink-moe, which can contain passwords. Flink shows the
     * configuration of clusters and jobs in its web UI.
     */
    public static Configuration flinkOptions(Configuration options) {
        Configuration flink = new Configuration(options);
        options.keySet().stream().filter(key -> key.startsWith("moe.")).forEach(flink::removeKey);
        return flink;
    }

    /** The job's name, which labels its metrics. The default contains the consumer group. */
    public static String nameOf(ReadableConfig flinkOptions, ReadableConfig options) {
        return flinkOptions
                .getOptional(PipelineOptions.NAME)
                .orElse("moe score " + options.get(KafkaOptions.SOURCE_GROUP_ID));
    }

    /** The options with an absolute bundle path: task managers have other working directories. */
    public static Configuration withAbsoluteBundle(Configuration options) {
        Configuration absolute = new Configuration(options);
        String bundle = options.get(MoeOptions.BUNDLE);
        if (bundle != null
                && new org.apache.flink.core.fs.Path(bundle).toUri().getScheme() == null) {
            absolute.set(MoeOptions.BUNDLE, Path.of(bundle).toAbsolutePath().toString());
        }
        return absolute;
    }

    private static void configure(
            StreamExecutionEnvironment env, Configuration options, Consumer<String> warnings) {
        Configuration job = flinkOptions(options);
        job.set(PipelineOptions.OBJECT_REUSE, true);
        job.set(PipelineOptions.GENERIC_TYPES, false);
        job.set(PipelineOptions.AUTO_GENERATE_UIDS, false);
        RocksDbForWindows.setDefaults(job, env.getConfiguration());
        ChangesOfWindows.setDefaults(
                job, env.getConfiguration(), MoeSettings.of(options).capacity(), warnings);
        env.configure(job);
        RestoreRules.check(env.getConfiguration());

        if (env.getConfiguration()
                .getOptional(CheckpointingOptions.CHECKPOINTING_INTERVAL)
                .isEmpty()) {
            env.enableCheckpointing(CHECKPOINT_INTERVAL.toMillis());
        }
        env.getCheckpointConfig().setCheckpointingConsistencyMode(CheckpointingMode.EXACTLY_ONCE);
        CheckpointRules.check(env, options);
    }

    private static void logFootprint(Footprint footprint) {
        LOG.info(
                "Estimates: {} MB for {} models in each process, {} MB of direct buffers per slot,"
                        + " {} bytes of state per token of an open window",
                footprint.sessionBytes() / 1_000_000,
                footprint.sessions(),
                footprint.directBytes() / 1_000_000,
                footprint.windowBytesPerToken());
    }
}
