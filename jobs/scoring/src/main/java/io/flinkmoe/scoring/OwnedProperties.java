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
 * The client properties that options of the job set. Given among the user's own they would be
 * overwritten without a word, so they are refused.
 */
@Internal
final class OwnedProperties {

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

    private OwnedProperties() {}

    /** What to set instead of each that is given. */
    static List<String> given(ReadableConfig options) {
        List<String> given = new ArrayList<>();
        OPTIONS.forEach(
                (property, option) -> {
                    if (options.get(KafkaOptions.PROPERTIES).containsKey(property)) {
                        given.add(
                                "%s has %s, which is what %s sets"
                                        .formatted(
                                                KafkaOptions.PROPERTIES.key(),
                                                property,
                                                option.key()));
                    }
                });
        return given;
    }
}
