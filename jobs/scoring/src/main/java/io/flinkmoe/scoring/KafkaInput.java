// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.kafka.TimestampRules;
import io.flinkmoe.kafka.TokenWatermarks;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.kafka.source.TokenSource;
import io.flinkmoe.scoring.KafkaOptions.Delivery;
import io.flinkmoe.scoring.KafkaOptions.Stop;
import java.time.Clock;
import java.time.Duration;
import java.util.Properties;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.kafka.clients.consumer.ConsumerConfig;

/** Creates the source of the job's tokens, and its watermarks. */
@Internal
final class KafkaInput {

    /** The uids and names of the operators. Savepoints depend on the uids, so they never change. */
    static final String SOURCE_UID = "token-source";

    /**
     * Kafka's default of 64 KiB is one packet on the loopback interface: once it is full, the
     * connection can wait for 200 ms. With -1, Linux sizes the buffer, and Linux 6.18 was seen to
     * drop packets while it does.
     */
    private static final String RECEIVE_BUFFER_BYTES = "1048576";

    private KafkaInput() {}

    /**
     * Creates the source of a job's tokens.
     *
     * @param schemas the schemas that the job keeps in its state
     * @param hasWindows whether something waits for the watermark
     */
    static TokenSource source(
            ReadableConfig options,
            KafkaRecordDeserializationSchema<Arrival> deserializer,
            PinnedSchemas schemas,
            boolean hasWindows) {
        TokenSource.Builder builder =
                TokenSource.builder(
                                options.get(KafkaOptions.SOURCE_TOPIC),
                                consumerProperties(options),
                                deserializer)
                        .schemas(schemas)
                        .startAt(options.get(KafkaOptions.SOURCE_START))
                        .missingOffsets(options.get(KafkaOptions.SOURCE_MISSING_OFFSETS))
                        .idleTimeout(options.get(KafkaOptions.SOURCE_IDLE_TIMEOUT));
        if (options.get(KafkaOptions.SOURCE_STOP) == Stop.LATEST) {
            builder.stopAtLatest();
        }
        if (options.get(KafkaOptions.SINK_DELIVERY) == Delivery.EXACTLY_ONCE) {
            builder.transactionalIds(KafkaOutput.transactionalIdPrefix(options));
        }
        if (!hasWindows) {
            builder.withoutWindows();
        }
        return builder.build();
    }

    private static Properties consumerProperties(ReadableConfig options) {
        Properties properties = KafkaOptions.clientProperties(options);
        properties.put(ConsumerConfig.GROUP_ID_CONFIG, options.get(KafkaOptions.SOURCE_GROUP_ID));
        properties.putIfAbsent(ConsumerConfig.RECEIVE_BUFFER_CONFIG, RECEIVE_BUFFER_BYTES);
        return properties;
    }

    /** Which timestamps are accepted. */
    static TimestampRules timestamps(ReadableConfig options, boolean hasWindows) {
        if (!hasWindows) {
            return TimestampRules.NONE;
        }
        TimestampRules rules =
                new TimestampRules(
                        true,
                        options.get(KafkaOptions.SOURCE_MAX_AHEAD),
                        options.get(KafkaOptions.SOURCE_MAX_BEHIND),
                        Clock.systemUTC());
        return options.get(KafkaOptions.SINK_DELIVERY) == Delivery.IDEMPOTENT
                ? rules.withoutClock()
                : rules;
    }

    /** Configures event time, idleness and alignment of the partitions. */
    static WatermarkStrategy<Arrival> watermarks(ReadableConfig options) {
        TokenWatermarks watermarks =
                TokenWatermarks.forBoundedOutOfOrderness(
                        options.get(KafkaOptions.SOURCE_MAX_OUT_OF_ORDERNESS));
        Duration idleTimeout = options.get(KafkaOptions.SOURCE_IDLE_TIMEOUT);
        if (!idleTimeout.isZero()) {
            watermarks = watermarks.withIdleness(idleTimeout);
        }
        Duration maxDrift = options.get(KafkaOptions.SOURCE_MAX_DRIFT);
        return maxDrift.isZero()
                ? watermarks
                : watermarks.withWatermarkAlignment(SOURCE_UID, maxDrift);
    }
}
