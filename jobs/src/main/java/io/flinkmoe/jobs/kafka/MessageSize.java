package io.flinkmoe.jobs.kafka;

import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.TopicConfig;

/** How much a message may hold: what the producers' {@code max.request.size} says. */
final class MessageSize {

    private static final int DEFAULT = 1 << 20;

    /** What a message takes beside its largest field: reasons, names, Kafka's own header. */
    private static final int OVERHEAD = 16 << 10;

    private static final int LEAST = 2 * OVERHEAD;

    private MessageSize() {}

    /** The bytes that the largest field of a message may have. */
    static int largestField(ReadableConfig options) {
        return limit(options) - OVERHEAD;
    }

    /**
     * Checks that vectors fit a message.
     *
     * @param width the values of a vector, float32
     * @throws IllegalConfigurationException if they do not
     */
    static void require(ReadableConfig options, int width) {
        if (width > largestField(options) / Float.BYTES) {
            throw new IllegalConfigurationException(
                    "%s has %s %d, but vectors have %d values; allowed: %d or more, and %s of the topics too"
                            .formatted(
                                    KafkaOptions.PROPERTIES.key(),
                                    ProducerConfig.MAX_REQUEST_SIZE_CONFIG,
                                    limit(options),
                                    width,
                                    (long) width * Float.BYTES + OVERHEAD,
                                    TopicConfig.MAX_MESSAGE_BYTES_CONFIG));
        }
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
