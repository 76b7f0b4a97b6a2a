package io.flinkmoe.scoring;

import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.TopicConfig;

/** How much a message may hold: what the producers' {@code max.request.size} says. */
@Internal
final class MessageSize {

    private static final int DEFAULT = 1 << 20;

    /**
     * What a message takes beside its largest fields: the stream, as key and in the value, which
     * {@link TokenCheck#MAX_STREAM_LENGTH} bounds, a reason, other names, Kafka's own header.
     */
    private static final int OVERHEAD = 16 << 10;

    private static final int LEAST = 2 * OVERHEAD;

    /** An expert with its score and weight, or a choice with its weight and outcome, at most. */
    private static final int ENTRY_BYTES = 13;

    private MessageSize() {}

    /** The bytes that the largest field of a message may have. */
    static int largestField(ReadableConfig options) {
        return largestField(options, Integer.MAX_VALUE);
    }

    /**
     * The bytes that the largest field of a message to a topic may have.
     *
     * @param maxMessageBytes the most bytes of a message that the topic takes
     */
    static int largestField(ReadableConfig options, int maxMessageBytes) {
        return Math.min(limit(options), maxMessageBytes) - OVERHEAD;
    }

    /**
     * Checks that what the job writes fits a message.
     *
     * @return the bytes of the largest message of each topic; dead letters are cut to what their
     *     topic takes, but not below a minimum
     * @throws IllegalConfigurationException if it does not
     */
    static Map<ConfigOption<String>, Long> require(ReadableConfig options, BundleSpec spec) {
        int attempts = MoeSettings.of(options).attempts();
        long choices = 0;
        long ranks = 0;
        for (LayerSpec layer : spec.layers()) {
            int k = layer.routing().numExpertsPerTok();
            choices += k;
            ranks += (long) k * attempts;
        }
        Map<ConfigOption<String>, Long> largest = new HashMap<>();
        largest.put(KafkaOptions.DEAD_LETTER_TOPIC, (long) LEAST);
        largest.put(
                KafkaOptions.SINK_TOPIC,
                require(options, "a scored token", bytes(spec.outputSize(), choices)));
        if (options.getOptional(KafkaOptions.LATE_TOPIC).isPresent()) {
            largest.put(
                    KafkaOptions.LATE_TOPIC,
                    require(options, "a late token", bytes(spec.inputSize(), 0)));
        }
        if (options.getOptional(KafkaOptions.DECISION_LOG_TOPIC).isPresent()) {
            largest.put(
                    KafkaOptions.DECISION_LOG_TOPIC,
                    require(options, "a decision", bytes(0, choices + ranks)));
        }
        return largest;
    }

    private static long bytes(int width, long entries) {
        return (long) width * Float.BYTES + entries * ENTRY_BYTES;
    }

    /**
     * @param bytes the message but for {@link #OVERHEAD}
     * @return the bytes of the message
     */
    static long require(ReadableConfig options, String what, long bytes) {
        if (bytes > largestField(options)) {
            throw new IllegalConfigurationException(
                    "%s has %s %d, but %s of this model may have %d bytes; allowed: that or more, and %s of the topics too"
                            .formatted(
                                    KafkaOptions.PROPERTIES.key(),
                                    ProducerConfig.MAX_REQUEST_SIZE_CONFIG,
                                    limit(options),
                                    what,
                                    bytes + OVERHEAD,
                                    TopicConfig.MAX_MESSAGE_BYTES_CONFIG));
        }
        return bytes + OVERHEAD;
    }

    private static int limit(ReadableConfig options) {
        String given =
                KafkaOptions.clientProperties(options)
                        .getProperty(ProducerConfig.MAX_REQUEST_SIZE_CONFIG);
        if (given == null) {
            return DEFAULT;
        }
        try {
            int limit = Integer.parseInt(given.strip());
            if (limit >= LEAST) {
                return limit;
            }
        } catch (NumberFormatException e) {
            // As below.
        }
        throw new IllegalConfigurationException(
                "%s has %s '%s'; allowed: %d or more"
                        .formatted(
                                KafkaOptions.PROPERTIES.key(),
                                ProducerConfig.MAX_REQUEST_SIZE_CONFIG,
                                given,
                                LEAST));
    }
}
