// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.kafka.pinned.PinnedState;
import io.flinkmoe.kafka.registry.RegistryUse;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.KafkaSourceBuilder;
import org.apache.flink.connector.kafka.source.enumerator.KafkaSourceEnumState;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.streaming.api.lineage.LineageVertex;
import org.apache.flink.streaming.api.lineage.LineageVertexProvider;
import org.apache.flink.util.Preconditions;
import org.apache.kafka.clients.consumer.ConsumerConfig;

/**
 * Flink's {@link KafkaSource} for one topic, with three additions:
 *
 * <ul>
 *   <li>It skips no records without a word. If the topic no longer has the offsets of the restored
 *       state, if it was created anew, or if retention overtakes the job, the job fails without
 *       restarts and names the partition, the offset and what the topic has. See {@link
 *       Builder#missingOffsets}.
 *   <li>Only one job uses a consumer group and, with {@link Builder#transactionalIds}, its
 *       transactional ids. If a second job starts with the same ones, the first one fails. {@link
 *       GroupOwners} finds the job that uses them before a second one starts.
 *   <li>It says in the JobManager's log and in a metric why it waits: for an open transaction in
 *       the topic, or for a partition whose event time is far behind the others.
 * </ul>
 *
 * <p>Partitions that are added to the topic later are read from their beginning.
 */
@PublicEvolving
public final class TokenSource
        implements Source<Arrival, KafkaPartitionSplit, KafkaSourceEnumState>,
                ResultTypeQueryable<Arrival>,
                LineageVertexProvider {

    private static final long serialVersionUID = 1L;

    private final String topic;
    private final Properties properties;
    private final MissingOffsets missing;
    private final SplitOffsets offsets;
    private final List<Claim> claims;
    private final boolean hasWindows;
    private final Duration idleTimeout;
    private final EventTimes times;

    private final PinnedSchemas schemas;

    /** The registry with the schemas of the records; null if there is none. */
    private final RegistryUse registry;

    private final KafkaSource<Arrival> source;

    private TokenSource(Builder builder) {
        topic = builder.topic;
        properties = builder.properties;
        missing = builder.missing;
        offsets = new SplitOffsets(properties, missing);
        claims = List.copyOf(builder.claims);
        hasWindows = builder.hasWindows;
        idleTimeout = builder.idleTimeout;
        times = new EventTimes(builder.deserializer);
        schemas = builder.schemas;
        registry =
                builder.deserializer instanceof RegistryUse.ByDeserializer user
                        ? user.registry().orElse(null)
                        : null;
        Properties ofReaders = new Properties();
        ofReaders.putAll(properties);
        if (registry != null) {
            registry.configure(ofReaders);
        }
        KafkaSourceBuilder<Arrival> kafka =
                KafkaSource.<Arrival>builder()
                        .setProperties(ofReaders)
                        .setTopics(topic)
                        .setStartingOffsets(new StartingOffsets(builder.start))
                        .setDeserializer(times);
        if (builder.stopAtLatest) {
            kafka.setBounded(OffsetsInitializer.latest());
        }
        source = kafka.build();
    }

    /**
     * Creates a builder.
     *
     * @param topic the topic to read
     * @param properties the properties of the consumer, with bootstrap.servers and group.id. If
     *     they do not set isolation.level, it is read_committed
     * @param deserializer such as {@link io.flinkmoe.kafka.TokenDeserializer}
     */
    public static Builder builder(
            String topic,
            Properties properties,
            KafkaRecordDeserializationSchema<Arrival> deserializer) {
        return new Builder(topic, properties, deserializer);
    }

    /** Builds a {@link TokenSource}. */
    @PublicEvolving
    public static final class Builder {

        private final String topic;
        private final Properties properties;
        private final KafkaRecordDeserializationSchema<Arrival> deserializer;
        private StartPosition start = StartPosition.COMMITTED;
        private MissingOffsets missing = MissingOffsets.FAIL;
        private Duration idleTimeout = Duration.ZERO;
        private boolean stopAtLatest;
        private boolean hasWindows = true;
        private PinnedSchemas schemas = PinnedSchemas.NONE;
        private final List<Claim> claims = new ArrayList<>();

        private Builder(
                String topic,
                Properties properties,
                KafkaRecordDeserializationSchema<Arrival> deserializer) {
            this.topic = topic;
            this.deserializer = deserializer;
            this.properties = new Properties();
            this.properties.putAll(properties);
            this.properties.putIfAbsent(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
            for (String key :
                    new String[] {
                        ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, ConsumerConfig.GROUP_ID_CONFIG
                    }) {
                Preconditions.checkArgument(
                        properties.containsKey(key), "the properties lack %s", key);
            }
            claims.add(Claim.ofGroup(properties.getProperty(ConsumerConfig.GROUP_ID_CONFIG)));
        }

        /** Sets where to start without a state. The default is {@link StartPosition#COMMITTED}. */
        public Builder startAt(StartPosition position) {
            this.start = position;
            return this;
        }

        /** Sets what to do about missing offsets. The default is {@link MissingOffsets#FAIL}. */
        public Builder missingOffsets(MissingOffsets policy) {
            this.missing = policy;
            return this;
        }

        /** Ends the source after the records that the topic has when it starts. */
        public Builder stopAtLatest() {
            this.stopAtLatest = true;
            return this;
        }

        /**
         * Tells the source the idle timeout of the watermarks, so that it does not report an idle
         * partition as one that holds back the others. The default is zero: there is no timeout.
         */
        public Builder idleTimeout(Duration timeout) {
            this.idleTimeout = timeout;
            return this;
        }

        /**
         * Tells the source that no operator waits for the watermark, so that it does not report
         * partitions that hold it back.
         */
        public Builder withoutWindows() {
            this.hasWindows = false;
            return this;
        }

        /**
         * Also makes sure that only one job uses the transactional ids that begin with a prefix:
         * two jobs would abort each other's transactions.
         */
        public Builder transactionalIds(String prefix) {
            claims.add(Claim.ofTransactionalIds(prefix));
            return this;
        }

        /**
         * Keeps the schemas that the job reads and writes with in the state of the source, where
         * {@link io.flinkmoe.kafka.pinned.SavepointSchemas} finds them.
         */
        public Builder schemas(PinnedSchemas pinned) {
            this.schemas = pinned;
            return this;
        }

        /** Builds the source. */
        public TokenSource build() {
            return new TokenSource(this);
        }
    }

    @Override
    public Boundedness getBoundedness() {
        return source.getBoundedness();
    }

    @Override
    public TypeInformation<Arrival> getProducedType() {
        return source.getProducedType();
    }

    @Override
    public SourceReader<Arrival, KafkaPartitionSplit> createReader(SourceReaderContext context)
            throws Exception {
        boolean reports = getBoundedness() == Boundedness.CONTINUOUS_UNBOUNDED;
        return new TokenReader(source.createReader(context), offsets, times, reports, context);
    }

    @Override
    public SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> createEnumerator(
            SplitEnumeratorContext<KafkaPartitionSplit> context) {
        return watched(source.createEnumerator(context), context);
    }

    @Override
    public SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> restoreEnumerator(
            SplitEnumeratorContext<KafkaPartitionSplit> context, KafkaSourceEnumState checkpoint)
            throws IOException {
        return watched(source.restoreEnumerator(context, checkpoint), context);
    }

    private TokenEnumerator watched(
            SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator,
            SplitEnumeratorContext<KafkaPartitionSplit> context) {
        String job = context.metricGroup().getAllVariables().getOrDefault("<job_id>", "unknown");
        return new TokenEnumerator(enumerator, context, () -> watches(context, job));
    }

    private SourceWatches watches(SplitEnumeratorContext<KafkaPartitionSplit> context, String job) {
        List<SourceWatch> owners = new ArrayList<>();
        for (Claim claim : claims) {
            owners.add(new GroupOwner(claim, topic, properties, job));
        }
        String group = properties.getProperty(ConsumerConfig.GROUP_ID_CONFIG);
        owners.add(new TopicWatch(topic, group, properties, missing, System::currentTimeMillis));
        if (registry != null) {
            owners.add(new RegistryWatch(registry.settings(), System::currentTimeMillis));
        }
        return new SourceWatches(
                owners,
                new OpenTransactions(topic, properties, System::currentTimeMillis),
                new HeldBackPartitions(topic, hasWindows, idleTimeout, System::nanoTime),
                System::currentTimeMillis,
                context.metricGroup());
    }

    @Override
    public LineageVertex getLineageVertex() {
        return source.getLineageVertex();
    }

    @Override
    public SimpleVersionedSerializer<KafkaPartitionSplit> getSplitSerializer() {
        return new TopicSplit.Serializer();
    }

    @Override
    public SimpleVersionedSerializer<KafkaSourceEnumState> getEnumeratorCheckpointSerializer() {
        return new PinnedState<>(schemas, source.getEnumeratorCheckpointSerializer());
    }
}
