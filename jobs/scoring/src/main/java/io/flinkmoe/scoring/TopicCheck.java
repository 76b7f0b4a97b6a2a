// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.scoring.KafkaOptions.Delivery;
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

    /** The limits of timestamps that producers set, the second one in brokers before 3.6. */
    private static final List<String> TIMESTAMP_LIMITS =
            List.of(
                    TopicConfig.MESSAGE_TIMESTAMP_AFTER_MAX_MS_CONFIG,
                    TopicConfig.MESSAGE_TIMESTAMP_BEFORE_MAX_MS_CONFIG,
                    "message.timestamp.difference.max.ms");

    private final Delivery delivery;
    private final List<String> refusals = new ArrayList<>();
    private final List<String> warnings = new ArrayList<>();

    TopicCheck(Delivery delivery) {
        this.delivery = delivery;
    }

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
        if (option != KafkaOptions.DEAD_LETTER_TOPIC) {
            if (delivery == Delivery.IDEMPOTENT) {
                checkKeysOfTokens(name, config);
                checkTimestamps(name, config);
                checkRetention(name, config);
            } else if (has(config, TopicConfig.CLEANUP_POLICY_COMPACT)) {
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
    }

    /** A key per token: compaction removes what comes again, and never anything else. */
    private void checkKeysOfTokens(String name, Config config) {
        String problem = null;
        if (value(config, TopicConfig.CLEANUP_POLICY_CONFIG) == null) {
            return;
        } else if (!has(config, TopicConfig.CLEANUP_POLICY_DELETE)) {
            problem = "so it grows without a limit, because each token has a key of its own";
        } else if (!has(config, TopicConfig.CLEANUP_POLICY_COMPACT)) {
            problem = "so records that come again after a failure stay in it";
        }
        if (problem != null) {
            warnings.add(
                    "%s has %s=%s, %s; recommended with %s: %s: %s,%s"
                            .formatted(
                                    name,
                                    TopicConfig.CLEANUP_POLICY_CONFIG,
                                    value(config, TopicConfig.CLEANUP_POLICY_CONFIG),
                                    problem,
                                    KafkaOptions.SINK_DELIVERY.key(),
                                    delivery,
                                    TopicConfig.CLEANUP_POLICY_COMPACT,
                                    TopicConfig.CLEANUP_POLICY_DELETE));
        }
    }

    /** The timestamps are event times. A broker that rejects one would fail the job for ever. */
    private void checkTimestamps(String name, Config config) {
        if (isTimeOfAppend(config)) {
            return;
        }
        for (String key : TIMESTAMP_LIMITS) {
            OptionalLong limit = number(config, key);
            if (limit.isPresent() && limit.getAsLong() < Long.MAX_VALUE) {
                refusals.add(
                        "%s has %s=%d, so the broker rejects answers whose event time is further from its clock; set it to %d, or set %s=LogAppendTime"
                                .formatted(
                                        name,
                                        key,
                                        limit.getAsLong(),
                                        Long.MAX_VALUE,
                                        TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG));
            }
        }
    }

    /** Time-based retention goes by the timestamps of records. */
    private void checkRetention(String name, Config config) {
        OptionalLong retention = number(config, TopicConfig.RETENTION_MS_CONFIG);
        if (!isTimeOfAppend(config)
                && has(config, TopicConfig.CLEANUP_POLICY_DELETE)
                && retention.orElse(-1) >= 0) {
            warnings.add(
                    "%s has %s=%d, which counts from the event time with %s: %s, so answers to older events are soon removed; set %s=LogAppendTime to count from the time of writing"
                            .formatted(
                                    name,
                                    TopicConfig.RETENTION_MS_CONFIG,
                                    retention.getAsLong(),
                                    KafkaOptions.SINK_DELIVERY.key(),
                                    delivery,
                                    TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG));
        }
    }

    /** Checks the source topic of a job with windows. */
    void checkSource(String topic, Config config) {
        boolean isKnown = value(config, TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG) != null;
        if (delivery == Delivery.IDEMPOTENT && isKnown && !isTimeOfAppend(config)) {
            warnings.add(
                    "producers set the timestamps of the topic %s (%s), and with %s: %s a token is not compared with this machine's clock: one from the future makes the others late; set %s=LogAppendTime"
                            .formatted(
                                    topic,
                                    KafkaOptions.SOURCE_TOPIC.key(),
                                    KafkaOptions.SINK_DELIVERY.key(),
                                    delivery,
                                    TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG));
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

    private static boolean has(Config config, String policy) {
        String policies = value(config, TopicConfig.CLEANUP_POLICY_CONFIG);
        return policies != null && policies.contains(policy);
    }

    private static boolean isTimeOfAppend(Config config) {
        return "LogAppendTime".equals(value(config, TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG));
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
