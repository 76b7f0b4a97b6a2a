package io.flinkmoe.jobs.kafka;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.MoeResult;
import io.flinkmoe.api.Arrival;
import io.flinkmoe.config.Footprint;
import io.flinkmoe.jobs.kafka.KafkaOptions.Delivery;
import io.flinkmoe.jobs.kafka.KafkaOptions.Stop;
import java.io.IOException;
import java.time.Duration;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.KafkaSourceBuilder;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The scoring job: tokens from Kafka, through a bundle's layers, back to Kafka. */
public final class ScoringJob {

    /** The operators' uids, and names. Savepoints depend on them: they never change. */
    static final String SOURCE_UID = "token-source";

    static final String SCORED_SINK_UID = "scored-token-sink";
    static final String DEAD_LETTER_SINK_UID = "dead-letter-sink";
    static final String DECISION_SINK_UID = "decision-sink";
    static final String LATE_SINK_UID = "late-token-sink";

    private static final Logger LOG = LoggerFactory.getLogger(ScoringJob.class);

    /**
     * Kafka's own 16 KiB are a few vectors only: each request would cost more than what it brings.
     */
    private static final String PRODUCER_BATCH_BYTES = String.valueOf(256 << 10);

    /** Sources and sinks have no keys. The job's default must not become a limit of the state. */
    private static final int MAX_PARALLELISM = KeyGroupRangeAssignment.UPPER_BOUND_MAX_PARALLELISM;

    private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(10);

    private ScoringJob() {}

    /**
     * Checks the options, the bundle and Kafka, and lays out the job in an environment; the caller
     * executes it.
     *
     * @param options every {@link KafkaOptions} and {@link io.flinkmoe.config.MoeOptions}, and
     *     whatever Flink options the job should run with
     * @return the streams between the layers and the sinks, for a caller that wants to look at them
     * @throws IllegalConfigurationException if options are missing or contradict each other, with
     *     all that is wrong
     * @throws IOException if Kafka or the bundle cannot be used as they are
     */
    public static MoeResult build(StreamExecutionEnvironment env, Configuration options)
            throws IOException {
        KafkaOptions.check(options);
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
        TokenDeserializer deserializer = TokenDeserializer.of(options, layers.inputWidth());
        Footprint footprint = layers.footprint();
        MessageSize.require(options, footprint.spec());
        int partitions = KafkaPreflight.check(options);
        logFootprint(footprint);

        DataStream<Arrival> arrivals =
                env.fromSource(
                                source(options, deserializer),
                                watermarks(options),
                                SOURCE_UID,
                                deserializer.getProducedType())
                        .uid(SOURCE_UID)
                        // A subtask without a partition would have no watermark to give.
                        .setParallelism(Math.min(Math.max(env.getParallelism(), 1), partitions))
                        .setMaxParallelism(MAX_PARALLELISM);
        MoeResult result = layers.scoreArrivals(arrivals);
        KafkaOptions.Format format = options.get(KafkaOptions.FORMAT);
        write(
                result.scored(),
                new ScoredTokenSerializer(options.get(KafkaOptions.SINK_TOPIC), format),
                SCORED_SINK_UID,
                options);
        write(
                result.deadLetters(),
                new DeadLetterSerializer(
                        options.get(KafkaOptions.DEAD_LETTER_TOPIC),
                        format,
                        MessageSize.largestField(options)),
                DEAD_LETTER_SINK_UID,
                options);
        if (options.contains(KafkaOptions.DECISION_LOG_TOPIC)) {
            String topic = options.get(KafkaOptions.DECISION_LOG_TOPIC);
            write(
                    result.decisions(),
                    new DecisionSerializer(topic, format),
                    DECISION_SINK_UID,
                    options);
        }
        if (options.contains(KafkaOptions.LATE_TOPIC)) {
            String topic = options.get(KafkaOptions.LATE_TOPIC);
            write(result.lateTokens(), new TokenSerializer(topic, format), LATE_SINK_UID, options);
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

    private static KafkaSource<Arrival> source(
            ReadableConfig options, TokenDeserializer deserializer) {
        Properties properties = KafkaOptions.clientProperties(options);
        properties.putIfAbsent(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        KafkaSourceBuilder<Arrival> builder =
                KafkaSource.<Arrival>builder()
                        .setProperties(properties)
                        .setGroupId(options.get(KafkaOptions.SOURCE_GROUP_ID))
                        .setTopics(options.get(KafkaOptions.SOURCE_TOPIC))
                        .setStartingOffsets(start(options))
                        .setDeserializer(deserializer);
        if (options.get(KafkaOptions.SOURCE_STOP) == Stop.LATEST) {
            builder.setBounded(OffsetsInitializer.latest());
        }
        return builder.build();
    }

    @SuppressWarnings("deprecation") // OffsetResetStrategy: the connector takes no other.
    private static OffsetsInitializer start(ReadableConfig options) {
        return switch (options.get(KafkaOptions.SOURCE_START)) {
            case EARLIEST -> OffsetsInitializer.earliest();
            case LATEST -> OffsetsInitializer.latest();
            case COMMITTED -> OffsetsInitializer.committedOffsets(OffsetResetStrategy.EARLIEST);
        };
    }

    static WatermarkStrategy<Arrival> watermarks(ReadableConfig options) {
        WatermarkStrategy<Arrival> ofTokens =
                WatermarkStrategy.forBoundedOutOfOrderness(
                        options.get(KafkaOptions.SOURCE_MAX_OUT_OF_ORDERNESS));
        Duration idleTimeout = options.get(KafkaOptions.SOURCE_IDLE_TIMEOUT);
        if (!idleTimeout.isZero()) {
            ofTokens = ofTokens.withIdleness(idleTimeout);
        }
        WatermarkStrategy<Arrival> strategy =
                new TokenWatermarks(ofTokens)
                        .withTimestampAssigner(
                                (arrival, written) ->
                                        arrival.token() == null
                                                ? Long.MIN_VALUE
                                                : arrival.token().timestamp());
        Duration maxDrift = options.get(KafkaOptions.SOURCE_MAX_DRIFT);
        if (!maxDrift.isZero()) {
            strategy = strategy.withWatermarkAlignment(SOURCE_UID, maxDrift);
        }
        return strategy;
    }

    private static <T> void write(
            DataStream<T> stream,
            KafkaRecordSerializationSchema<T> serializer,
            String uid,
            ReadableConfig options) {
        Properties properties = KafkaOptions.clientProperties(options);
        properties.putIfAbsent(ProducerConfig.BATCH_SIZE_CONFIG, PRODUCER_BATCH_BYTES);
        properties.put(
                ProducerConfig.TRANSACTION_TIMEOUT_CONFIG,
                String.valueOf(options.get(KafkaOptions.SINK_TRANSACTION_TIMEOUT).toMillis()));
        KafkaSink<T> sink =
                KafkaSink.<T>builder()
                        .setKafkaProducerConfig(properties)
                        .setBootstrapServers(options.get(KafkaOptions.BROKERS))
                        .setRecordSerializer(serializer)
                        .setDeliveryGuarantee(
                                options.get(KafkaOptions.SINK_DELIVERY) == Delivery.EXACTLY_ONCE
                                        ? DeliveryGuarantee.EXACTLY_ONCE
                                        : DeliveryGuarantee.AT_LEAST_ONCE)
                        .setTransactionalIdPrefix(transactionalIdPrefix(options) + "-" + uid)
                        .build();
        // As parallel as what it writes, so that the two are chained.
        stream.sinkTo(sink)
                .uid(uid)
                .name(uid)
                .setParallelism(stream.getParallelism())
                .setMaxParallelism(MAX_PARALLELISM);
    }

    private static String transactionalIdPrefix(ReadableConfig options) {
        return options.getOptional(KafkaOptions.SINK_TRANSACTIONAL_ID_PREFIX)
                .orElse(
                        options.get(KafkaOptions.SOURCE_GROUP_ID)
                                + "-"
                                + options.get(KafkaOptions.SINK_TOPIC));
    }
}
