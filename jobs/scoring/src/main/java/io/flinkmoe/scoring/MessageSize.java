// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.scoring.record.AnswerSize;
import io.flinkmoe.scoring.record.RecordOptions;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.TopicConfig;

/**
 * Checks that the job's records fit a Kafka message, whose limit is the producers' {@code
 * max.request.size}.
 */
@Internal
final class MessageSize {

    private static final int DEFAULT = 1 << 20;

    /**
     * The bytes of a message besides its largest fields: the stream (as key and in the value, at
     * most {@link TokenCheck#MAX_STREAM_LENGTH} characters), a reason, other names, and Kafka's own
     * header.
     */
    private static final int OVERHEAD = 16 << 10;

    private static final int MINIMUM = 2 * OVERHEAD;

    /**
     * The maximum bytes of an expert with score and weight, or of a choice with weight and outcome.
     */
    private static final int ENTRY_BYTES = 13;

    /** The maximum bytes of an array besides its items, and of a text besides its characters. */
    private static final int FRAME_BYTES = 6;

    private MessageSize() {}

    /** The maximum bytes of the largest field of a message. */
    static int largestField(ReadableConfig options) {
        return largestField(options, Integer.MAX_VALUE);
    }

    /**
     * The maximum bytes of the largest field of a message to a topic.
     *
     * @param maxMessageBytes the topic's maximum message size
     */
    static int largestField(ReadableConfig options, int maxMessageBytes) {
        return Math.min(limit(options), maxMessageBytes) - OVERHEAD;
    }

    /**
     * The maximum bytes of what an answer keeps of its record.
     *
     * @param maxMessageBytes the maximum message size of the answers' topic
     */
    static int largestKept(ReadableConfig options, BundleSpec spec, int maxMessageBytes) {
        long others = AnswerSize.withoutKept(options, spec);
        return (int) Math.max(0, largestField(options, maxMessageBytes) - others);
    }

    /**
     * Checks that the records that the job writes fit a message.
     *
     * @return the bytes of the largest message of each topic. Dead letters are truncated to their
     *     topic's maximum message size, but not below a minimum
     * @throws IllegalConfigurationException if it does not
     */
    static Map<ConfigOption<String>, Long> require(ReadableConfig options, BundleSpec spec) {
        int attempts = MoeSettings.of(options).attempts();
        long choices = 0;
        long decisions = 0;
        for (LayerSpec layer : spec.layers()) {
            choices += choices(layer);
            decisions += decisions(layer, attempts);
        }
        Map<ConfigOption<String>, Long> largest = new HashMap<>();
        largest.put(KafkaOptions.DEAD_LETTER_TOPIC, (long) MINIMUM);
        largest.put(
                KafkaOptions.SINK_TOPIC,
                options.get(RecordOptions.FORMAT).isToken()
                        ? require(options, "a scored token", vector(spec.outputSize()) + choices)
                        : require(options, "an answer", AnswerSize.withoutKept(options, spec)));
        if (options.getOptional(KafkaOptions.LATE_TOPIC).isPresent()) {
            largest.put(
                    KafkaOptions.LATE_TOPIC,
                    require(options, "a late token", vector(spec.inputSize())));
        }
        if (options.getOptional(KafkaOptions.DECISION_LOG_TOPIC).isPresent()) {
            largest.put(KafkaOptions.DECISION_LOG_TOPIC, require(options, "a decision", decisions));
        }
        return largest;
    }

    private static long vector(int width) {
        return (long) width * Float.BYTES;
    }

    /** The maximum bytes of a scored token's choices: with several gates, each has G weights. */
    private static long choices(LayerSpec layer) {
        long weights =
                layer.hasOneGate() ? 0 : FRAME_BYTES + (long) layer.gates().size() * Float.BYTES;
        return layer.choices() * (ENTRY_BYTES + weights);
    }

    /** The maximum bytes of a decision: the ranks of each gate, and the choices. */
    private static long decisions(LayerSpec layer, int attempts) {
        long ranks = layer.hasOneGate() ? (long) layer.choices() * attempts : layer.ranks();
        long bytes = (layer.choices() + ranks) * ENTRY_BYTES;
        for (String gate : layer.gateNames()) {
            bytes += 2 * FRAME_BYTES + gate.getBytes(StandardCharsets.UTF_8).length;
        }
        return bytes;
    }

    /**
     * @param bytes the size of the message without {@link #OVERHEAD}
     * @return the size of the message
     */
    static long require(ReadableConfig options, String what, long bytes) {
        if (bytes > largestField(options)) {
            throw new IllegalConfigurationException(
                    ("%s: %s is %d, but %s of this model can have %d bytes; set it to"
                                    + " that or more, and also %s of the topics")
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
            if (limit >= MINIMUM) {
                return limit;
            }
        } catch (NumberFormatException e) {
            // The error below covers this case, too.
        }
        throw new IllegalConfigurationException(
                "%s: %s is '%s'; allowed: %d or more"
                        .formatted(
                                KafkaOptions.PROPERTIES.key(),
                                ProducerConfig.MAX_REQUEST_SIZE_CONFIG,
                                given,
                                MINIMUM));
    }
}
