// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.scoring.KafkaOptions.Delivery;
import java.util.Properties;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.TransactionNamingStrategy;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.kafka.clients.producer.ProducerConfig;

/** Creates the sinks of the job's results, one per topic. */
@Internal
final class KafkaOutput {

    /**
     * Sources and sinks have no keyed state. The job's default must not limit how far they can be
     * rescaled.
     */
    static final int MAX_PARALLELISM = KeyGroupRangeAssignment.UPPER_BOUND_MAX_PARALLELISM;

    /**
     * Kafka's default of 16 KiB holds only a few vectors, so the overhead of each request would
     * dominate.
     */
    private static final String PRODUCER_BATCH_BYTES = String.valueOf(256 << 10);

    private KafkaOutput() {}

    /** Writes a stream to a topic. With exactly-once delivery, it writes in transactions. */
    static <T> void write(
            DataStream<T> stream,
            KafkaRecordSerializationSchema<T> serializer,
            String uid,
            ReadableConfig options) {
        Properties properties = KafkaOptions.clientProperties(options);
        properties.putIfAbsent(ProducerConfig.BATCH_SIZE_CONFIG, PRODUCER_BATCH_BYTES);
        properties.putIfAbsent(
                ProducerConfig.LINGER_MS_CONFIG,
                String.valueOf(options.get(MoeOptions.LATENCY).producerLinger().toMillis()));
        properties.put(
                ProducerConfig.TRANSACTION_TIMEOUT_CONFIG,
                String.valueOf(options.get(KafkaOptions.SINK_TRANSACTION_TIMEOUT).toMillis()));
        if (options.get(KafkaOptions.SINK_DELIVERY) == Delivery.IDEMPOTENT) {
            IdempotentRules.configure(properties);
        }
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
                        // Brokers keep every id for days, so ids are reused.
                        .setTransactionNamingStrategy(TransactionNamingStrategy.POOLING)
                        .build();
        // The sink has the parallelism of its input, so that both are chained.
        stream.sinkTo(new CheckedKafkaSink<>(sink))
                .uid(uid)
                .name(uid)
                .setParallelism(stream.getParallelism())
                .setMaxParallelism(MAX_PARALLELISM);
    }

    /** The key of answers and decisions. */
    static RecordKey recordKey(ReadableConfig options) {
        return options.get(KafkaOptions.SINK_DELIVERY) == Delivery.IDEMPOTENT
                ? RecordKey.TOKEN
                : RecordKey.STREAM;
    }

    /**
     * The beginning of the transactional ids of all sinks. A topic's name has no slash, so no other
     * group and topic give the same.
     */
    static String transactionalIdPrefix(ReadableConfig options) {
        return options.getOptional(KafkaOptions.SINK_TRANSACTIONAL_ID_PREFIX)
                .orElse(
                        options.get(KafkaOptions.SOURCE_GROUP_ID)
                                + "/"
                                + options.get(KafkaOptions.SINK_TOPIC));
    }
}
