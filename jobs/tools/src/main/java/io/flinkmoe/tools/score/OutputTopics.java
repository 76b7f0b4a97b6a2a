// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.KafkaOptions.Delivery;
import io.flinkmoe.scoring.KafkaPreflight;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.TopicConfig;

/** Creates the topics that a job writes, with as many partitions as its source topic has. */
@Internal
final class OutputTopics {

    private static final List<ConfigOption<String>> OUTPUTS =
            List.of(
                    KafkaOptions.SINK_TOPIC,
                    KafkaOptions.DEAD_LETTER_TOPIC,
                    KafkaOptions.DECISION_LOG_TOPIC,
                    KafkaOptions.LATE_TOPIC);

    /** Answers that come again are removed; event times of any age are accepted. */
    private static final Map<String, String> IDEMPOTENT =
            Map.of(
                    TopicConfig.CLEANUP_POLICY_CONFIG,
                    TopicConfig.CLEANUP_POLICY_COMPACT + "," + TopicConfig.CLEANUP_POLICY_DELETE,
                    TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG,
                    "LogAppendTime");

    private OutputTopics() {}

    /**
     * Creates the topics that do not exist.
     *
     * @return their names
     * @throws IOException if the source topic does not exist, or if a topic cannot be created
     */
    static List<String> create(ReadableConfig options) throws IOException {
        KafkaPreflight.checkTopic(options, KafkaOptions.SOURCE_TOPIC);
        try (Admin admin = Admin.create(KafkaOptions.clientProperties(options))) {
            String source = options.get(KafkaOptions.SOURCE_TOPIC);
            int partitions =
                    admin.describeTopics(List.of(source))
                            .allTopicNames()
                            .get()
                            .get(source)
                            .partitions()
                            .size();
            Set<String> present = admin.listTopics().names().get();
            List<NewTopic> missing = new ArrayList<>();
            for (ConfigOption<String> option : OUTPUTS) {
                Optional<String> topic = options.getOptional(option);
                if (topic.isPresent() && !present.contains(topic.get())) {
                    missing.add(
                            new NewTopic(topic.get(), Optional.of(partitions), Optional.empty())
                                    .configs(configuration(options, option)));
                }
            }
            admin.createTopics(missing).all().get();
            return missing.stream().map(NewTopic::name).toList();
        } catch (ExecutionException e) {
            throw new IOException(
                    "the topics cannot be created at %s: %s"
                            .formatted(
                                    options.get(KafkaOptions.BROKERS), e.getCause().getMessage()),
                    e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while topics were created", e);
        }
    }

    private static Map<String, String> configuration(
            ReadableConfig options, ConfigOption<String> topic) {
        boolean isIdempotent =
                options.get(KafkaOptions.SINK_DELIVERY) == Delivery.IDEMPOTENT
                        && !topic.equals(KafkaOptions.DEAD_LETTER_TOPIC);
        return isIdempotent ? IDEMPOTENT : Map.of();
    }
}
