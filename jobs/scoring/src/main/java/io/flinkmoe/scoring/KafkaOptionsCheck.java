// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.scoring.record.RecordOptions;
import io.flinkmoe.scoring.record.RecordRules;
import io.flinkmoe.scoring.record.Refusals;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.configuration.StateRecoveryOptions;

/** Checks that the values of the {@link KafkaOptions} are complete and consistent. */
@Internal
final class KafkaOptionsCheck {

    /** Flink's messages about empty paths do not name the option. */
    private static final List<ConfigOption<String>> PATHS =
            List.of(
                    StateRecoveryOptions.SAVEPOINT_PATH,
                    CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                    CheckpointingOptions.SAVEPOINT_DIRECTORY);

    private KafkaOptionsCheck() {}

    /**
     * Checks the options before any connection is opened.
     *
     * @throws IllegalConfigurationException if options are invalid; the message lists all errors
     */
    static void check(ReadableConfig options) {
        List<String> errors = new ArrayList<>();
        for (ConfigOption<String> required :
                List.of(
                        MoeOptions.BUNDLE,
                        KafkaOptions.BROKERS,
                        KafkaOptions.SOURCE_TOPIC,
                        KafkaOptions.SINK_TOPIC,
                        KafkaOptions.DEAD_LETTER_TOPIC)) {
            if (options.getOptional(required).orElse("").isBlank()) {
                errors.add(required.key() + " is missing");
            }
        }
        errors.addAll(sharedTopics(options));
        for (ConfigOption<String> path : PATHS) {
            if (options.getOptional(path).map(String::isBlank).orElse(false)) {
                errors.add(
                        "%s is empty; set a path, or leave the option out".formatted(path.key()));
            }
        }
        for (ConfigOption<Duration> duration :
                List.of(
                        KafkaOptions.SOURCE_MAX_OUT_OF_ORDERNESS,
                        KafkaOptions.SOURCE_IDLE_TIMEOUT,
                        KafkaOptions.SOURCE_MAX_DRIFT,
                        KafkaOptions.SOURCE_MAX_AHEAD,
                        KafkaOptions.SOURCE_MAX_BEHIND)) {
            if (options.get(duration).isNegative()) {
                errors.add(
                        "%s is %s, but cannot be negative"
                                .formatted(duration.key(), options.get(duration)));
            }
        }
        long timeout = options.get(KafkaOptions.SINK_TRANSACTION_TIMEOUT).toMillis();
        if (timeout <= 0 || timeout > Integer.MAX_VALUE) {
            errors.add(
                    "%s is %d ms, but must be from 1 ms to %d ms"
                            .formatted(
                                    KafkaOptions.SINK_TRANSACTION_TIMEOUT.key(),
                                    timeout,
                                    Integer.MAX_VALUE));
        }
        errors.addAll(RecordRules.errors(options));
        errors.addAll(lateTopic(options));
        errors.addAll(ReservedProperties.errors(options));
        errors.addAll(IdempotentRules.errors(options));
        if (!errors.isEmpty()) {
            throw new IllegalConfigurationException(String.join("; ", errors));
        }
    }

    private static List<String> lateTopic(ReadableConfig options) {
        Refusals refusals = new Refusals(options);
        RecordOptions.Format format = options.get(RecordOptions.FORMAT);
        if (!format.isToken()) {
            refusals.refuse(
                    KafkaOptions.LATE_TOPIC,
                    RecordOptions.FORMAT,
                    format,
                    "a late record is answered, with the outputs of its residual");
        }
        return refusals.errors();
    }

    /** The topics that several options name. */
    private static List<String> sharedTopics(ReadableConfig options) {
        Map<String, List<String>> keys = new LinkedHashMap<>();
        for (ConfigOption<String> option : KafkaOptions.topics(options)) {
            keys.computeIfAbsent(options.get(option), topic -> new ArrayList<>()).add(option.key());
        }
        return keys.entrySet().stream()
                .filter(entry -> entry.getValue().size() > 1)
                .map(
                        entry ->
                                "%s must be different topics, but each is %s"
                                        .formatted(
                                                String.join(" and ", entry.getValue()),
                                                entry.getKey()))
                .toList();
    }
}
