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

/** What a job's checkpoints must be like, so that it can keep its promises. */
@Internal
final class CheckpointRules {

    private static final Logger LOG = LoggerFactory.getLogger(CheckpointRules.class);

    private CheckpointRules() {}

    /**
     * Checks them before anything runs.
     *
     * @throws IllegalConfigurationException if results would never be committed, or open windows
     *     not be kept
     */
    static void check(StreamExecutionEnvironment env, ReadableConfig options) {
        Capacity capacity = MoeSettings.of(options).capacity();
        CheckpointConfig checkpoints = env.getCheckpointConfig();
        if (capacity.decidesAtClose() && checkpoints.isCheckpointingEnabled()) {
            requireRoomForWindows(env.getConfiguration(), options, capacity);
            warnOfLongCloses(checkpoints, capacity);
        }
        if (options.get(KafkaOptions.SINK_DELIVERY) == Delivery.EXACTLY_ONCE) {
            requireCommits(checkpoints, options);
            LOG.warn(
                    "If the job is down for longer than {} ({}), results since its last checkpoint"
                            + " are lost",
                    options.get(KafkaOptions.SINK_TRANSACTION_TIMEOUT),
                    KafkaOptions.SINK_TRANSACTION_TIMEOUT.key());
        }
    }

    private static void requireCommits(CheckpointConfig checkpoints, ReadableConfig options) {
        if (!checkpoints.isCheckpointingEnabled()) {
            throw new IllegalConfigurationException(
                    "%s turns checkpoints off, but %s exactly-once needs them: they commit the results"
                            .formatted(
                                    CheckpointingOptions.CHECKPOINTING_INTERVAL.key(),
                                    KafkaOptions.SINK_DELIVERY.key()));
        }
        Duration interval = Duration.ofMillis(checkpoints.getCheckpointInterval());
        Duration timeout = options.get(KafkaOptions.SINK_TRANSACTION_TIMEOUT);
        if (timeout.compareTo(interval) <= 0) {
            throw new IllegalConfigurationException(
                    "%s is %s; allowed: more than %s, %s: the broker would abort every transaction before a checkpoint commits it"
                            .formatted(
                                    KafkaOptions.SINK_TRANSACTION_TIMEOUT.key(),
                                    TimeUtils.formatWithHighestUnit(timeout),
                                    CheckpointingOptions.CHECKPOINTING_INTERVAL.key(),
                                    TimeUtils.formatWithHighestUnit(interval)));
        }
    }

    /** Without a directory, checkpoints are kept by the JobManager, and may have 5 MB at most. */
    private static void requireRoomForWindows(
            ReadableConfig job, ReadableConfig options, Capacity capacity) {
        String storage = job.get(CheckpointingOptions.CHECKPOINT_STORAGE);
        boolean isOwnClass = storage != null && storage.contains(".");
        if (!isOwnClass && job.getOptional(CheckpointingOptions.CHECKPOINTS_DIRECTORY).isEmpty()) {
            throw new IllegalConfigurationException(
                    "%s is not set, but with %s: %s and %s: %s open windows are kept in checkpoints; give a directory that the JobManager and all task managers reach"
                            .formatted(
                                    CheckpointingOptions.CHECKPOINTS_DIRECTORY.key(),
                                    MoeOptions.CAPACITY_ADMISSION.key(),
                                    options.get(MoeOptions.CAPACITY_ADMISSION),
                                    MoeOptions.OVERFLOW.key(),
                                    options.get(MoeOptions.OVERFLOW)));
        }
    }

    /** The calls of a window's close are made in one go, and no barrier passes meanwhile. */
    private static void warnOfLongCloses(CheckpointConfig checkpoints, Capacity capacity) {
        if (capacity.windows().size() > checkpoints.getCheckpointTimeout()) {
            LOG.warn(
                    "{} is {}, longer than {}, {}. An expert runs a window at its close, in one go:"
                            + " if that takes longer than the timeout, checkpoints fail",
                    MoeOptions.CAPACITY_WINDOW_SIZE.key(),
                    Duration.ofMillis(capacity.windows().size()),
                    CheckpointingOptions.CHECKPOINTING_TIMEOUT.key(),
                    Duration.ofMillis(checkpoints.getCheckpointTimeout()));
        }
    }
}
