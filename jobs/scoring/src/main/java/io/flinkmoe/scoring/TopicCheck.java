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
 * Checks the configuration of the topics that the job writes: what cannot work is refused, because
 * the job would restart for ever; what loses records is warned of.
 */
@Internal
final class TopicCheck {

    private final List<String> refusals = new ArrayList<>();
    private final List<String> warnings = new ArrayList<>();

    /**
     * Checks a topic.
     *
     * @param option the option that names the topic
     * @param config its configuration; brokers that only speak Kafka's protocol can leave out parts
     * @param replicas how many replicas the partition has that has the fewest
     * @param largest the bytes of the largest message that the job writes to it
     */
    void check(
            ConfigOption<String> option, String topic, Config config, int replicas, long largest) {
        String name = "the topic %s (%s)".formatted(topic, option.key());
        OptionalLong maxBytes = number(config, TopicConfig.MAX_MESSAGE_BYTES_CONFIG);
        if (maxBytes.isPresent() && maxBytes.getAsLong() < largest) {
            refusals.add(
                    "%s has %s=%d, but the job can write messages of %d bytes to it: raise it"
                            .formatted(
                                    name,
                                    TopicConfig.MAX_MESSAGE_BYTES_CONFIG,
                                    maxBytes.getAsLong(),
                                    largest));
        }
        OptionalLong minInSync = number(config, TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG);
        if (minInSync.isPresent() && minInSync.getAsLong() > replicas) {
            refusals.add(
                    "%s has %s=%d, but %d replicas, so that nothing can be written to it: lower the one or add replicas"
                            .formatted(
                                    name,
                                    TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG,
                                    minInSync.getAsLong(),
                                    replicas));
        }
        // A dead letter has a key of its own, so compaction removes none.
        if (option != KafkaOptions.DEAD_LETTER_TOPIC && isCompacted(config)) {
            warnings.add(
                    "%s has %s=%s: Kafka removes all but the last record of each stream; set %s=%s to keep all of them"
                            .formatted(
                                    name,
                                    TopicConfig.CLEANUP_POLICY_CONFIG,
                                    value(config, TopicConfig.CLEANUP_POLICY_CONFIG),
                                    TopicConfig.CLEANUP_POLICY_CONFIG,
                                    TopicConfig.CLEANUP_POLICY_DELETE));
        }
    }

    /** The brokers do not show the configuration of a topic to this client. */
    void untold(ConfigOption<String> option, String topic, String reason) {
        warnings.add(
                "the configuration of the topic %s (%s) cannot be checked (%s); allow this client to describe it (DESCRIBE_CONFIGS)"
                        .formatted(topic, option.key(), reason));
    }

    /** What cannot work. */
    List<String> refusals() {
        return refusals;
    }

    /** What loses records, or cannot be checked. */
    List<String> warnings() {
        return warnings;
    }

    /** The most bytes of a message that a topic takes; without a number, no limit is known. */
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
