// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.capacity.Capacity;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.StateChangelogOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.RecoveryClaimMode;

/**
 * Flink's changelog for windows on the heap. Without it, each checkpoint writes all tokens of all
 * open windows. With it, tokens are written once, when they come in, and a checkpoint only waits
 * for what has not been written yet. From time to time, the whole state is written in the
 * background, so that a restore need not repeat all changes.
 *
 * <p>Where the log is stored is an option of the cluster. A job logs changes only on a cluster that
 * stores them in files, and not if it starts from a savepoint that it does not claim, since Flink
 * logs no changes of such a job.
 */
@Internal
public final class ChangesOfWindows {

    /** The folder of the log: an option of Flink's log on file systems, which is no dependency. */
    public static final ConfigOption<String> BASE_PATH =
            ConfigOptions.key("state.changelog.dstl.dfs.base-path")
                    .stringType()
                    .noDefaultValue()
                    .withDeprecatedKeys("dstl.dfs.base-path");

    /** With Flink's default of one second, an upload to a busy disk fails. */
    public static final ConfigOption<Duration> UPLOAD_TIMEOUT =
            ConfigOptions.key("state.changelog.dstl.dfs.upload.timeout")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(20))
                    .withDeprecatedKeys("dstl.dfs.upload.timeout");

    /**
     * What waits for an upload. A checkpoint waits behind it, so with Flink's default of 100 MB for
     * a second or more.
     */
    public static final ConfigOption<MemorySize> WAITING =
            ConfigOptions.key("state.changelog.dstl.dfs.upload.max-in-flight")
                    .memoryType()
                    .defaultValue(MemorySize.ofMebiBytes(32))
                    .withDeprecatedKeys("dstl.dfs.upload.max-in-flight");

    private static final String FILES = "filesystem";

    /** A restore repeats the changes of about this time. */
    private static final Duration FULL_WRITE_INTERVAL = Duration.ofSeconds(30);

    private final Configuration job;
    private final ReadableConfig cluster;

    private ChangesOfWindows(Configuration job, ReadableConfig cluster) {
        this.job = job;
        this.cluster = cluster;
    }

    /** Sets the options of a cluster that stores the log in a folder, unless they are set. */
    public static void store(Configuration cluster, String folder) {
        ChangesOfWindows changes = new ChangesOfWindows(cluster, cluster);
        changes.setDefault(StateChangelogOptions.STATE_CHANGE_LOG_STORAGE, FILES);
        changes.setDefault(BASE_PATH, folder);
        changes.setDefault(UPLOAD_TIMEOUT, UPLOAD_TIMEOUT.defaultValue());
        changes.setDefault(WAITING, WAITING.defaultValue());
    }

    /**
     * Sets the options of a job that decides at the close of its windows, unless they are set.
     *
     * @param cluster the options that apply unless the job sets them
     * @param warnings receives why checkpoints contain all open windows, if the start prevents a
     *     log
     */
    public static void setDefaults(
            Configuration job,
            ReadableConfig cluster,
            Capacity capacity,
            Consumer<String> warnings) {
        ChangesOfWindows changes = new ChangesOfWindows(job, cluster);
        if (!capacity.decidesAtClose()
                || !changes.areOnHeap()
                || !changes.canBeStored()
                || changes.get(CheckpointingOptions.MAX_CONCURRENT_CHECKPOINTS) > 1) {
            return;
        }
        if (changes.find(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG).isEmpty()) {
            if (!changes.startAllowsLog()) {
                warnings.accept(
                        ("each checkpoint contains all open windows, because Flink logs no changes of"
                                        + " a job that starts from a savepoint with %s: %s; set %s to log"
                                        + " them. The savepoint then belongs to the job, which deletes"
                                        + " it when it is no longer needed.")
                                .formatted(
                                        StateRecoveryOptions.RESTORE_MODE.key(),
                                        changes.claimMode(),
                                        RecoveryClaimMode.CLAIM));
                return;
            }
            job.set(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG, true);
        }
        changes.setDefault(
                StateChangelogOptions.PERIODIC_MATERIALIZATION_INTERVAL, FULL_WRITE_INTERVAL);
    }

    private boolean areOnHeap() {
        return "hashmap".equals(get(StateBackendOptions.STATE_BACKEND));
    }

    private boolean canBeStored() {
        return FILES.equals(get(StateChangelogOptions.STATE_CHANGE_LOG_STORAGE))
                && find(BASE_PATH).isPresent();
    }

    /** With a log, the first checkpoint after a start without claim would fail. */
    private boolean startAllowsLog() {
        return find(StateRecoveryOptions.SAVEPOINT_PATH).isEmpty()
                || claimMode() == RecoveryClaimMode.CLAIM;
    }

    private RecoveryClaimMode claimMode() {
        return get(StateRecoveryOptions.RESTORE_MODE);
    }

    private <T> T get(ConfigOption<T> option) {
        return find(option).orElse(option.defaultValue());
    }

    private <T> Optional<T> find(ConfigOption<T> option) {
        return job.getOptional(option).or(() -> cluster.getOptional(option));
    }

    private <T> void setDefault(ConfigOption<T> option, T value) {
        if (find(option).isEmpty()) {
            job.set(option, value);
        }
    }
}
