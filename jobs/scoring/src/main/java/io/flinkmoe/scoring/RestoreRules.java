// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.kafka.pinned.SavepointMetadata;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.configuration.StateChangelogOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.RecoveryClaimMode;
import org.apache.flink.runtime.state.changelog.ChangelogStateBackendHandle;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Checks that a job can go on from the checkpoint or savepoint that it starts from. */
@Internal
final class RestoreRules {

    private static final Logger LOG = LoggerFactory.getLogger(RestoreRules.class);

    private RestoreRules() {}

    /**
     * Checks how the job starts. In the claim mode {@code NO_CLAIM}, Flink starts a job with a log
     * of changes, and a job from a checkpoint with one, but then their checkpoints fail.
     *
     * @param options the Flink options of cluster and job
     * @throws IllegalConfigurationException if the claim mode does not allow the checkpoint
     */
    static void check(ReadableConfig options) {
        String path = options.get(StateRecoveryOptions.SAVEPOINT_PATH);
        RecoveryClaimMode mode = options.get(StateRecoveryOptions.RESTORE_MODE);
        if (path == null || mode != RecoveryClaimMode.NO_CLAIM) {
            return;
        }
        if (options.get(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG)) {
            throw mustClaim(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG.key() + " is true");
        }
        if (hasLoggedChanges(path)) {
            throw mustClaim("the checkpoint %s contains a log of changes".formatted(path));
        }
    }

    private static IllegalConfigurationException mustClaim(String why) {
        return new IllegalConfigurationException(
                ("%s is %s, but %s; allowed: %s. The checkpoint or savepoint that the job starts from"
                                + " then belongs to the job, which deletes it when it is no longer"
                                + " needed.")
                        .formatted(
                                StateRecoveryOptions.RESTORE_MODE.key(),
                                RecoveryClaimMode.NO_CLAIM,
                                why,
                                RecoveryClaimMode.CLAIM));
    }

    private static boolean hasLoggedChanges(String path) {
        try {
            return SavepointMetadata.read(path).getOperatorStates().stream()
                    .flatMap(operator -> operator.getStates().stream())
                    .flatMap(subtask -> subtask.getManagedKeyedState().stream())
                    .anyMatch(ChangelogStateBackendHandle.class::isInstance);
        } catch (IOException e) {
            LOG.debug("Cannot read {} here; the cluster reads it at the start", path, e);
            return false;
        }
    }
}
