// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.scoring.KafkaOptions.Delivery;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.util.TimeUtils;
import org.apache.kafka.clients.producer.ProducerConfig;

/**
 * What idempotent delivery needs. After a failure the job writes answers again, and a process that
 * was taken for dead can write its own ones at any later time. Readers recognize an answer that
 * comes again by its key. So nothing but the contents of the source topic may decide an answer, and
 * the producers may leave out no record and swap no two.
 */
@Internal
final class IdempotentRules {

    /**
     * The producers' properties. They never give up a batch: the batches after it would be written,
     * so that the answers in it would come after later ones of their stream. A producer that is
     * idempotent in Kafka's sense keeps the order of the batches that it sends again.
     */
    private static final Map<String, String> PRODUCER =
            new TreeMap<>(
                    Map.of(
                            ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG,
                            "true",
                            ProducerConfig.ACKS_CONFIG,
                            "all",
                            ProducerConfig.RETRIES_CONFIG,
                            String.valueOf(Integer.MAX_VALUE),
                            ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG,
                            String.valueOf(Integer.MAX_VALUE)));

    private IdempotentRules() {}

    /** Sets what a producer needs. */
    static void configure(Properties producer) {
        producer.putAll(PRODUCER);
    }

    /** What contradicts idempotent delivery, one error each; none with another delivery. */
    static List<String> errors(ReadableConfig options) {
        List<String> errors = new ArrayList<>();
        if (options.get(KafkaOptions.SINK_DELIVERY) != Delivery.IDEMPOTENT) {
            return errors;
        }
        boolean hasWindows = options.get(MoeOptions.CAPACITY) != MoeOptions.CapacityPolicy.NONE;
        AdmissionMode admission = options.get(MoeOptions.CAPACITY_ADMISSION);
        if (hasWindows && admission == AdmissionMode.FIRST_COME) {
            errors.add(
                    error(
                            MoeOptions.CAPACITY_ADMISSION,
                            admission,
                            AdmissionMode.PRIORITIZED,
                            "the order of arrival would decide answers"));
        }
        Duration idle = options.get(KafkaOptions.SOURCE_IDLE_TIMEOUT);
        if (hasWindows && !idle.isZero()) {
            errors.add(
                    error(
                            KafkaOptions.SOURCE_IDLE_TIMEOUT,
                            TimeUtils.formatWithHighestUnit(idle),
                            0,
                            "the time of arrival would decide which tokens are late"));
        }
        MoeOptions.OnError onError = options.get(MoeOptions.EXPERT_ON_ERROR);
        if (onError == MoeOptions.OnError.RESIDUAL) {
            errors.add(
                    error(
                            MoeOptions.EXPERT_ON_ERROR,
                            "residual",
                            "fail",
                            "a call that fails only once would decide answers"));
        }
        boolean isPadded = options.get(MoeOptions.EXPERT_BATCH_PADDING);
        if (options.get(PlacementOptions.DEVICE) == PlacementOptions.Device.CUDA && !isPadded) {
            errors.add(
                    error(
                            MoeOptions.EXPERT_BATCH_PADDING,
                            false,
                            true,
                            "on a GPU the size of a call decides the bits of its rows"));
        }
        if (options.getOptional(KafkaOptions.LATE_TOPIC).isPresent()) {
            errors.add(
                    error(
                            KafkaOptions.LATE_TOPIC,
                            options.get(KafkaOptions.LATE_TOPIC),
                            "no topic",
                            "late tokens have no key that differs from token to token"));
        }
        errors.addAll(producerErrors(options.get(KafkaOptions.PROPERTIES)));
        return errors;
    }

    /**
     * Checks that a model gives a token the same bits in any call.
     *
     * @param warning why it does not; empty if it does
     * @throws IllegalConfigurationException if it does not
     */
    static void checkModel(ReadableConfig options, Optional<String> warning) {
        if (warning.isPresent() && options.get(KafkaOptions.SINK_DELIVERY) == Delivery.IDEMPOTENT) {
            throw new IllegalConfigurationException(
                    error(PlacementOptions.ROW_BY_ROW, false, true, warning.get()));
        }
    }

    private static String error(
            ConfigOption<?> option, Object value, Object allowed, String reason) {
        return "%s is %s; allowed with %s: %s: %s, because %s"
                .formatted(
                        option.key(),
                        value,
                        KafkaOptions.SINK_DELIVERY.key(),
                        Delivery.IDEMPOTENT,
                        allowed,
                        reason);
    }

    private static List<String> producerErrors(Map<String, String> given) {
        List<String> errors = new ArrayList<>();
        PRODUCER.forEach(
                (property, value) -> {
                    String found = given.getOrDefault(property, value).strip();
                    boolean isAll = value.equals("all") && found.equals("-1");
                    if (!found.equals(value) && !isAll) {
                        errors.add(producerError(property, found, value));
                    }
                });
        String inFlight = ProducerConfig.MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION;
        if (!given.getOrDefault(inFlight, "5").strip().matches("[1-5]")) {
            errors.add(producerError(inFlight, given.get(inFlight), "1 to 5"));
        }
        return errors;
    }

    private static String producerError(String property, String found, String allowed) {
        return "%s contains %s: %s; allowed with %s: %s: %s, which is the default there"
                .formatted(
                        KafkaOptions.PROPERTIES.key(),
                        property,
                        found,
                        KafkaOptions.SINK_DELIVERY.key(),
                        Delivery.IDEMPOTENT,
                        allowed);
    }
}
