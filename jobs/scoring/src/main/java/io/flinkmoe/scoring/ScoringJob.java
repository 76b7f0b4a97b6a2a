package io.flinkmoe.scoring;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.MoeResult;
import io.flinkmoe.api.Arrival;
import io.flinkmoe.config.Footprint;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.kafka.DeadLetterSerializer;
import io.flinkmoe.kafka.DecisionSerializer;
import io.flinkmoe.kafka.RecordFormat;
import io.flinkmoe.kafka.ScoredTokenSerializer;
import io.flinkmoe.kafka.TokenDeserializer;
import io.flinkmoe.kafka.TokenSerializer;
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
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The scoring job: tokens from Kafka, through a bundle's layers, back to Kafka. */
@Internal
public final class ScoringJob {

    /** The operators' uids, and names. Savepoints depend on them: they never change. */
    static final String SOURCE_UID = "token-source";

    static final String SCORED_SINK_UID = "scored-token-sink";
    static final String DEAD_LETTER_SINK_UID = "dead-letter-sink";
    static final String DECISION_SINK_UID = "decision-sink";
    static final String LATE_SINK_UID = "late-token-sink";

    private static final Logger LOG = LoggerFactory.getLogger(ScoringJob.class);

    /** Sources and sinks have no keys. The job's default must not become a limit of the state. */
    static final int MAX_PARALLELISM = KeyGroupRangeAssignment.UPPER_BOUND_MAX_PARALLELISM;

    private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(10);

    private ScoringJob() {}

    /**
     * As {@link #build(StreamExecutionEnvironment, Configuration, Consumer)}; warnings are logged.
     */
    public static MoeResult build(StreamExecutionEnvironment env, Configuration options)
            throws IOException {
        return build(env, options, LOG::warn);
    }

    /**
     * Checks the options, the bundle and Kafka, and lays out the job in an environment; the caller
     * executes it.
     *
     * @param options every {@link KafkaOptions} and {@link io.flinkmoe.config.MoeOptions}, and
     *     whatever Flink options the job should run with
     * @param warnings gets what works, but loses records or cannot be checked
     * @return the streams between the layers and the sinks, for a caller that wants to look at them
     * @throws IllegalConfigurationException if options are missing or contradict each other, with
     *     all that is wrong
     * @throws IOException if Kafka or the bundle cannot be used as they are
     */
    public static MoeResult build(
            StreamExecutionEnvironment env, Configuration options, Consumer<String> warnings)
            throws IOException {
        KafkaOptionsCheck.check(options);
        configure(env, options);
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
        TokenDeserializer deserializer = KafkaInput.deserializer(options, layers.inputWidth());
        Footprint footprint = layers.footprint();
        Map<ConfigOption<String>, Long> largest = MessageSize.require(options, footprint.spec());
        KafkaPreflight.Topics topics = KafkaPreflight.check(options, largest, warnings);
        logFootprint(footprint);

        DataStream<Arrival> arrivals =
                env.fromSource(
                                KafkaInput.source(options, deserializer),
                                KafkaInput.watermarks(options),
                                SOURCE_UID,
                                deserializer.getProducedType())
                        .uid(SOURCE_UID)
                        // A subtask without a partition would have no watermark to give.
                        .setParallelism(
                                Math.min(
                                        Math.max(env.getParallelism(), 1),
                                        topics.sourcePartitions()))
                        .setMaxParallelism(MAX_PARALLELISM);
        MoeResult result = layers.scoreArrivals(arrivals);
        RecordFormat format = options.get(KafkaOptions.FORMAT);
        KafkaOutput.write(
                result.scored(),
                new ScoredTokenSerializer(options.get(KafkaOptions.SINK_TOPIC), format),
                SCORED_SINK_UID,
                options);
        KafkaOutput.write(
                result.deadLetters(),
                new DeadLetterSerializer(
                        options.get(KafkaOptions.DEAD_LETTER_TOPIC),
                        format,
                        MessageSize.largestField(options, topics.maxLetterBytes())),
                DEAD_LETTER_SINK_UID,
                options);
        if (options.contains(KafkaOptions.DECISION_LOG_TOPIC)) {
            String topic = options.get(KafkaOptions.DECISION_LOG_TOPIC);
            KafkaOutput.write(
                    result.decisions(),
                    new DecisionSerializer(topic, format),
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
        return result;
    }

    /**
     * The options without our own, among them Kafka's passwords: the configuration of a cluster and
     * of a job is shown to people.
     */
    public static Configuration flinkOptions(Configuration options) {
        Configuration flink = new Configuration(options);
        options.keySet().stream().filter(key -> key.startsWith("moe.")).forEach(flink::removeKey);
        return flink;
    }

    /** The label that metrics tell jobs apart by, unless the user names the job. */
    public static String nameOf(ReadableConfig flinkOptions, ReadableConfig options) {
        return flinkOptions
                .getOptional(PipelineOptions.NAME)
                .orElse("moe score " + options.get(KafkaOptions.SOURCE_GROUP_ID));
    }

    /** Task managers have other working directories. */
    public static Configuration withAbsoluteBundle(Configuration options) {
        Configuration absolute = new Configuration(options);
        String bundle = options.get(MoeOptions.BUNDLE);
        if (bundle != null
                && new org.apache.flink.core.fs.Path(bundle).toUri().getScheme() == null) {
            absolute.set(MoeOptions.BUNDLE, Path.of(bundle).toAbsolutePath().toString());
        }
        return absolute;
    }

    private static void configure(StreamExecutionEnvironment env, Configuration options) {
        Configuration job = flinkOptions(options);
        job.set(PipelineOptions.OBJECT_REUSE, true);
        job.set(PipelineOptions.GENERIC_TYPES, false);
        job.set(PipelineOptions.AUTO_GENERATE_UIDS, false);
        env.configure(job);

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
