// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;

/**
 * The Kafka client properties that other options of the job set. They are not allowed among the
 * user's properties, because the job would silently overwrite them.
 */
@Internal
final class ReservedProperties {

    private static final Map<String, ConfigOption<?>> OPTIONS =
            new TreeMap<>(
                    Map.of(
                            CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG,
                            KafkaOptions.BROKERS,
                            ConsumerConfig.GROUP_ID_CONFIG,
                            KafkaOptions.SOURCE_GROUP_ID,
                            ConsumerConfig.AUTO_OFFSET_RESET_CONFIG,
                            KafkaOptions.SOURCE_START,
                            ProducerConfig.TRANSACTIONAL_ID_CONFIG,
                            KafkaOptions.SINK_TRANSACTIONAL_ID_PREFIX,
                            ProducerConfig.TRANSACTION_TIMEOUT_CONFIG,
                            KafkaOptions.SINK_TRANSACTION_TIMEOUT));

    private ReservedProperties() {}

    /**
     * One error for each such property that the user has set. It names the option to use instead.
     */
    static List<String> errors(ReadableConfig options) {
        List<String> errors = new ArrayList<>();
        OPTIONS.forEach(
                (property, option) -> {
                    if (options.get(KafkaOptions.PROPERTIES).containsKey(property)) {
                        errors.add(
                                "%s contains %s; use %s instead"
                                        .formatted(
                                                KafkaOptions.PROPERTIES.key(),
                                                property,
                                                option.key()));
                    }
                });
        return errors;
    }
}
