// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.scoring.KafkaOptions.Delivery;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checks Kafka before the job starts. A wrong address or a missing topic is reported within
 * seconds, with a remedy, instead of causing endless restarts.
 */
@Internal
public final class KafkaPreflight implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(KafkaPreflight.class);

    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final String MAX_TRANSACTION_TIMEOUT = "transaction.max.timeout.ms";

    private final ReadableConfig options;
    private final Admin admin;
    private final long deadline = System.nanoTime() + TIMEOUT.toNanos();

    private KafkaPreflight(ReadableConfig options) throws IOException {
        this.options = options;
        Properties properties = KafkaOptions.clientProperties(options);
        properties.put(AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, (int) TIMEOUT.toMillis());
        properties.put(AdminClientConfig.REQUEST_TIMEOUT_MS_CONFIG, (int) TIMEOUT.toMillis() / 2);
        try {
            admin = Admin.create(properties);
        } catch (KafkaException e) {
            throw unreachable(options, e.getCause() == null ? e : e.getCause());
        }
    }

    /**
     * The facts about the topics that a job needs.
     *
     * @param sourcePartitions the number of partitions of the source topic
     * @param maxAnswerBytes the maximum bytes of a message in the sink topic, as far as the brokers
     *     report it
     * @param maxLetterBytes the same of the dead-letter topic
     */
    public record Topics(int sourcePartitions, int maxAnswerBytes, int maxLetterBytes) {}

    /**
     * Checks that the brokers respond, that the topics exist, that their configurations allow what
     * the job writes, and that the brokers allow the transaction timeout.
     *
     * @param largest the bytes of the largest message that the job writes to each topic
     * @param warnings receives what works but loses records, and what cannot be checked
     * @throws IOException if a check fails; the message names the error and the remedy. It is
     *     thrown after at most about 10 s.
     */
    public static Topics check(
            ReadableConfig options,
            Map<ConfigOption<String>, Long> largest,
            Consumer<String> warnings)
            throws IOException {
        try (KafkaPreflight preflight = new KafkaPreflight(options)) {
            Topics topics = preflight.checkOutputs(largest, warnings);
            if (options.get(KafkaOptions.SINK_DELIVERY) == Delivery.EXACTLY_ONCE) {
                checkTransactionTimeout(options, preflight.maxTransactionTimeout());
            }
            return topics;
        }
    }

    /**
     * Checks that the brokers respond and that a topic exists.
     *
     * @throws IOException as {@link #check} does
     */
    public static void checkTopic(ReadableConfig options, ConfigOption<String> key)
            throws IOException {
        try (KafkaPreflight preflight = new KafkaPreflight(options)) {
            preflight.checkTopics(List.of(key));
        }
    }

    @Override
    public void close() {
        admin.close(Duration.ZERO);
    }

    private Topics checkOutputs(Map<ConfigOption<String>, Long> largest, Consumer<String> warnings)
            throws IOException {
        List<ConfigOption<String>> keys = KafkaOptions.topics(options);
        Map<ConfigOption<String>, TopicDescription> topics = checkTopics(keys);
        Map<ConfigResource, KafkaFuture<Config>> configs =
                admin.describeConfigs(keys.stream().map(this::resource).toList()).values();
        TopicCheck check = new TopicCheck(options.get(KafkaOptions.SINK_DELIVERY));
        Map<ConfigOption<String>, Integer> maxBytes = new HashMap<>();
        for (ConfigOption<String> key : keys) {
            if (key == KafkaOptions.SOURCE_TOPIC) {
                checkSource(configs.get(resource(key)), check);
                continue;
            }
            try {
                Config config = get(configs.get(resource(key)));
                int replicas =
                        topics.get(key).partitions().stream()
                                .mapToInt(partition -> partition.replicas().size())
                                .min()
                                .orElse(0);
                long bytes = largest.getOrDefault(key, 0L);
                check.check(key, options.get(key), config, replicas, bytes);
                maxBytes.put(key, TopicCheck.maxMessageBytes(config));
            } catch (ExecutionException e) {
                check.unreadable(key, options.get(key), e.getCause().getMessage());
            }
        }
        if (!check.refusals().isEmpty()) {
            throw new IOException(
                    "Kafka at %s: %s"
                            .formatted(
                                    options.get(KafkaOptions.BROKERS),
                                    String.join("; ", check.refusals())));
        }
        check.warnings().forEach(warnings);
        return new Topics(
                topics.get(KafkaOptions.SOURCE_TOPIC).partitions().size(),
                maxBytes.getOrDefault(KafkaOptions.SINK_TOPIC, Integer.MAX_VALUE),
                maxBytes.getOrDefault(KafkaOptions.DEAD_LETTER_TOPIC, Integer.MAX_VALUE));
    }

    /** What the source topic's configuration has to be depends on the windows of the layers. */
    private void checkSource(KafkaFuture<Config> future, TopicCheck check) throws IOException {
        if (options.get(MoeOptions.CAPACITY) == MoeOptions.CapacityPolicy.NONE) {
            return;
        }
        try {
            check.checkSource(options.get(KafkaOptions.SOURCE_TOPIC), get(future));
        } catch (ExecutionException e) {
            LOG.debug("The configuration of the source topic cannot be read", e);
        }
    }

    private ConfigResource resource(ConfigOption<String> key) {
        return new ConfigResource(ConfigResource.Type.TOPIC, options.get(key));
    }

    private Map<ConfigOption<String>, TopicDescription> checkTopics(List<ConfigOption<String>> keys)
            throws IOException {
        Map<String, KafkaFuture<TopicDescription>> topics =
                admin.describeTopics(keys.stream().map(options::get).toList()).topicNameValues();
        Map<ConfigOption<String>, TopicDescription> found = new HashMap<>();
        List<String> errors = new ArrayList<>();
        for (ConfigOption<String> key : keys) {
            String topic = options.get(key);
            try {
                found.put(key, get(topics.get(topic)));
            } catch (ExecutionException e) {
                errors.add(
                        e.getCause() instanceof UnknownTopicOrPartitionException
                                ? "the topic %s (%s) does not exist".formatted(topic, key.key())
                                : "the topic %s (%s) cannot be used: %s"
                                        .formatted(topic, key.key(), e.getCause().getMessage()));
            }
        }
        if (!errors.isEmpty()) {
            throw new IOException(
                    "Kafka at %s: %s; create the missing topics or correct the options"
                            .formatted(
                                    options.get(KafkaOptions.BROKERS), String.join(", ", errors)));
        }
        return found;
    }

    /** The brokers' setting, or null if this client is not authorized to read it. */
    private ConfigEntry maxTransactionTimeout() throws IOException {
        try {
            String node = get(admin.describeCluster().nodes()).iterator().next().idString();
            ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, node);
            return get(admin.describeConfigs(List.of(broker)).all())
                    .get(broker)
                    .get(MAX_TRANSACTION_TIMEOUT);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof AuthorizationException) {
                return null;
            }
            throw new IOException(
                    "the Kafka brokers %s do not return %s: %s"
                            .formatted(
                                    options.get(KafkaOptions.BROKERS),
                                    MAX_TRANSACTION_TIMEOUT,
                                    e.getCause().getMessage()),
                    e.getCause());
        }
    }

    /**
     * @param max the brokers' setting; Kafka-compatible brokers may have no such setting, or no
     *     value
     */
    static void checkTransactionTimeout(ReadableConfig options, ConfigEntry max)
            throws IOException {
        if (max == null || max.value() == null) {
            LOG.warn(
                    "The brokers do not report their {}, so {} is not checked",
                    MAX_TRANSACTION_TIMEOUT,
                    KafkaOptions.SINK_TRANSACTION_TIMEOUT.key());
            return;
        }
        Duration timeout = options.get(KafkaOptions.SINK_TRANSACTION_TIMEOUT);
        long allowed = Long.parseLong(max.value());
        if (timeout.toMillis() > allowed) {
            throw new IOException(
                    ("%s is %d ms, but the brokers %s have %s=%d; lower the first or"
                                    + " raise the second")
                            .formatted(
                                    KafkaOptions.SINK_TRANSACTION_TIMEOUT.key(),
                                    timeout.toMillis(),
                                    options.get(KafkaOptions.BROKERS),
                                    MAX_TRANSACTION_TIMEOUT,
                                    allowed));
        }
    }

    /** Waits until the deadline. Failures other than timeouts are thrown as ExecutionException. */
    private <T> T get(KafkaFuture<T> future) throws IOException, ExecutionException {
        try {
            return future.get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof org.apache.kafka.common.errors.TimeoutException) {
                throw unreachable(options, e.getCause());
            }
            if (e.getCause() instanceof AuthenticationException) {
                throw new IOException(
                        ("the Kafka brokers %s reject this client (%s); check %s"
                                        + " (security.protocol, sasl.*, ssl.*)")
                                .formatted(
                                        options.get(KafkaOptions.BROKERS),
                                        e.getCause().getMessage(),
                                        KafkaOptions.PROPERTIES.key()),
                        e.getCause());
            }
            throw e;
        } catch (TimeoutException e) {
            throw unreachable(options, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unreachable(options, e);
        }
    }

    private static IOException unreachable(ReadableConfig options, Throwable cause) {
        return new IOException(
                "the Kafka brokers %s do not respond (%s); check %s, whether they run, and the"
                                .formatted(
                                        options.get(KafkaOptions.BROKERS),
                                        cause.getMessage() == null ? "timeout" : cause.getMessage(),
                                        KafkaOptions.BROKERS.key())
                        + " security settings in "
                        + KafkaOptions.PROPERTIES.key()
                        + " (security.protocol, sasl.*, ssl.*)",
                cause);
    }
}
