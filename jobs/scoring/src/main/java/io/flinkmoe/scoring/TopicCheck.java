// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.common.config.TopicConfig;

/**
 * Checks the configurations of the topics that the job writes. It rejects what cannot work, because
 * the job would restart forever, and warns of what loses records.
 */
@Internal
final class TopicCheck {

    private final List<String> refusals = new ArrayList<>();
    private final List<String> warnings = new ArrayList<>();

    /**
     * Checks a topic.
     *
     * @param option the option that names the topic
     * @param config its configuration; some brokers leave out entries
     * @param replicas the lowest number of replicas of a partition
     * @param largest the bytes of the largest message that the job writes to it
     */
    void check(
            ConfigOption<String> option, String topic, Config config, int replicas, long largest) {
        String name = "the topic %s (%s)".formatted(topic, option.key());
        OptionalLong maxBytes = number(config, TopicConfig.MAX_MESSAGE_BYTES_CONFIG);
        if (maxBytes.isPresent() && maxBytes.getAsLong() < largest) {
            refusals.add(
                    "%s has %s=%d, but the job can write messages of %d bytes; raise it"
                            .formatted(
                                    name,
                                    TopicConfig.MAX_MESSAGE_BYTES_CONFIG,
                                    maxBytes.getAsLong(),
                                    largest));
        }
        OptionalLong minInSync = number(config, TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG);
        if (minInSync.isPresent() && minInSync.getAsLong() > replicas) {
            refusals.add(
                    "%s has %s=%d but a partition with %d replicas, which accepts no writes; lower it or add replicas"
                            .formatted(
                                    name,
                                    TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG,
                                    minInSync.getAsLong(),
                                    replicas));
        }
        // The key of a dead letter is unique, so compaction removes none.
        if (option != KafkaOptions.DEAD_LETTER_TOPIC && isCompacted(config)) {
            warnings.add(
                    "%s has %s=%s, so Kafka keeps only the last record of each stream; set %s=%s to keep all records"
                            .formatted(
                                    name,
                                    TopicConfig.CLEANUP_POLICY_CONFIG,
                                    value(config, TopicConfig.CLEANUP_POLICY_CONFIG),
                                    TopicConfig.CLEANUP_POLICY_CONFIG,
                                    TopicConfig.CLEANUP_POLICY_DELETE));
        }
    }

    /** Notes that the configuration of a topic cannot be read. */
    void unreadable(ConfigOption<String> option, String topic, String reason) {
        warnings.add(
                "the configuration of the topic %s (%s) cannot be checked (%s); grant DESCRIBE_CONFIGS on the topic"
                        .formatted(topic, option.key(), reason));
    }

    /** What cannot work. */
    List<String> refusals() {
        return refusals;
    }

    /** What works but loses records, and what cannot be checked. */
    List<String> warnings() {
        return warnings;
    }

    /** The maximum bytes of a message in a topic; the highest number if it is unknown. */
    static int maxMessageBytes(Config config) {
        return (int) number(config, TopicConfig.MAX_MESSAGE_BYTES_CONFIG).orElse(Integer.MAX_VALUE);
    }

    private static boolean isCompacted(Config config) {
        String policy = value(config, TopicConfig.CLEANUP_POLICY_CONFIG);
        return policy != null && policy.contains(TopicConfig.CLEANUP_POLICY_COMPACT);
    }

    private static OptionalLong number(Config config, String key) {
        String value = value(config, key);
        return value == null ? OptionalLong.empty() : OptionalLong.of(Long.parseLong(value));
    }

    private static String value(Config config, String key) {
        ConfigEntry entry = config.get(key);
        return entry == null ? null : entry.value();
    }
}
