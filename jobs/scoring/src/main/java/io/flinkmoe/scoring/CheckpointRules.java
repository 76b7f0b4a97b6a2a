// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.scoring.KafkaOptions.Delivery;
import java.time.Duration;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.environment.CheckpointConfig;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.TimeUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Checks that a job's checkpoint settings support its delivery guarantee and its windows. */
@Internal
final class CheckpointRules {

    private static final Logger LOG = LoggerFactory.getLogger(CheckpointRules.class);

    private CheckpointRules() {}

    /**
     * Checks the settings before the job runs.
     *
     * @throws IllegalConfigurationException if results would never be committed, or if checkpoints
     *     could not contain open windows
     */
    static void check(StreamExecutionEnvironment env, ReadableConfig options) {
        Capacity capacity = MoeSettings.of(options).capacity();
        CheckpointConfig checkpoints = env.getCheckpointConfig();
        if (capacity.decidesAtClose() && checkpoints.isCheckpointingEnabled()) {
            requireCheckpointDirectory(env.getConfiguration(), options, capacity);
            warnOfLongWindows(checkpoints, capacity);
        }
        if (options.get(KafkaOptions.SINK_DELIVERY) != Delivery.AT_LEAST_ONCE) {
            requireCheckpoints(checkpoints, options);
        }
        if (options.get(KafkaOptions.SINK_DELIVERY) == Delivery.EXACTLY_ONCE) {
            requireLongTransactions(checkpoints, options);
            LOG.warn(
                    "If the job is down for longer than {} ({}), results since its last checkpoint"
                            + " are lost",
                    options.get(KafkaOptions.SINK_TRANSACTION_TIMEOUT),
                    KafkaOptions.SINK_TRANSACTION_TIMEOUT.key());
        }
    }

    private static void requireCheckpoints(CheckpointConfig checkpoints, ReadableConfig options) {
        if (!checkpoints.isCheckpointingEnabled()) {
            Delivery delivery = options.get(KafkaOptions.SINK_DELIVERY);
            throw new IllegalConfigurationException(
                    "%s disables checkpoints, but %s: %s needs checkpoints to %s"
                            .formatted(
                                    CheckpointingOptions.CHECKPOINTING_INTERVAL.key(),
                                    KafkaOptions.SINK_DELIVERY.key(),
                                    delivery,
                                    delivery == Delivery.EXACTLY_ONCE
                                            ? "commit results"
                                            : "go on from after a failure"));
        }
    }

    private static void requireLongTransactions(
            CheckpointConfig checkpoints, ReadableConfig options) {
        Duration interval = Duration.ofMillis(checkpoints.getCheckpointInterval());
        Duration timeout = options.get(KafkaOptions.SINK_TRANSACTION_TIMEOUT);
        if (timeout.compareTo(interval) <= 0) {
            throw new IllegalConfigurationException(
                    ("%s is %s; allowed: more than %s (%s). Otherwise the broker aborts"
                                    + " every transaction before a checkpoint commits it.")
                            .formatted(
                                    KafkaOptions.SINK_TRANSACTION_TIMEOUT.key(),
                                    TimeUtils.formatWithHighestUnit(timeout),
                                    CheckpointingOptions.CHECKPOINTING_INTERVAL.key(),
                                    TimeUtils.formatWithHighestUnit(interval)));
        }
    }

    /** Without a directory, checkpoints are kept in the JobManager's heap, with at most 5 MB. */
    private static void requireCheckpointDirectory(
            ReadableConfig job, ReadableConfig options, Capacity capacity) {
        String storage = job.get(CheckpointingOptions.CHECKPOINT_STORAGE);
        boolean isOwnClass = storage != null && storage.contains(".");
        if (!isOwnClass && job.getOptional(CheckpointingOptions.CHECKPOINTS_DIRECTORY).isEmpty()) {
            throw new IllegalConfigurationException(
                    ("%s is not set. It is required with %s: %s and %s: %s, because"
                                    + " checkpoints then contain open windows. Set a directory that the"
                                    + " JobManager and all task managers can access.")
                            .formatted(
                                    CheckpointingOptions.CHECKPOINTS_DIRECTORY.key(),
                                    MoeOptions.CAPACITY_ADMISSION.key(),
                                    options.get(MoeOptions.CAPACITY_ADMISSION),
                                    MoeOptions.OVERFLOW.key(),
                                    options.get(MoeOptions.OVERFLOW)));
        }
    }

    /**
     * An expert executes a closing window without interruption, and no checkpoint barrier passes
     * meanwhile.
     */
    private static void warnOfLongWindows(CheckpointConfig checkpoints, Capacity capacity) {
        if (capacity.windows().size() > checkpoints.getCheckpointTimeout()) {
            LOG.warn(
                    "{} ({}) is longer than {} ({}). An expert executes a whole window when it"
                            + " closes. Checkpoints fail if that takes longer than the timeout.",
                    MoeOptions.CAPACITY_WINDOW_SIZE.key(),
                    Duration.ofMillis(capacity.windows().size()),
                    CheckpointingOptions.CHECKPOINTING_TIMEOUT.key(),
                    Duration.ofMillis(checkpoints.getCheckpointTimeout()));
        }
    }
}
