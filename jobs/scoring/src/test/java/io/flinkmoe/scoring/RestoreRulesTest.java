// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNoException;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.StateChangelogOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.RecoveryClaimMode;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.state.KeyGroupRange;
import org.apache.flink.runtime.state.changelog.ChangelogStateBackendHandle.ChangelogStateBackendHandleImpl;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RestoreRulesTest {

    @TempDir private Path folder;

    @Test
    void aCheckpointWithALogMustBeClaimed() throws Exception {
        OperatorSubtaskState logged =
                OperatorSubtaskState.builder()
                        .setManagedKeyedState(
                                new ChangelogStateBackendHandleImpl(
                                        List.of(), List.of(), new KeyGroupRange(0, 1), 1, 0, 0))
                        .build();
        Configuration options = options(logged);
        assertThatExceptionOfType(IllegalConfigurationException.class)
                .isThrownBy(() -> RestoreRules.check(options))
                .withMessageContaining(
                        "execution.state-recovery.claim-mode is NO_CLAIM, but the checkpoint")
                .withMessageContaining("contains a log of changes; allowed: CLAIM");

        options.set(StateRecoveryOptions.RESTORE_MODE, RecoveryClaimMode.CLAIM);
        assertThatNoException().isThrownBy(() -> RestoreRules.check(options));
    }

    @Test
    void aJobWithALogMustClaimWhatItStartsFrom() {
        Configuration options = new Configuration();
        options.set(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG, true);
        assertThatNoException().isThrownBy(() -> RestoreRules.check(options));
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, folder.resolve("none").toString());
        assertThatExceptionOfType(IllegalConfigurationException.class)
                .isThrownBy(() -> RestoreRules.check(options))
                .withMessageContaining("NO_CLAIM, but state.changelog.enabled is true")
                .withMessageContaining("allowed: CLAIM");
    }

    @Test
    void anotherCheckpointNeedNotBeClaimed() throws Exception {
        Configuration options = options(OperatorSubtaskState.builder().build());
        assertThatNoException().isThrownBy(() -> RestoreRules.check(options));
    }

    @Test
    void aCheckpointThatCannotBeReadHereIsLeftToFlink() {
        Configuration options = new Configuration();
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, folder.resolve("none").toString());
        assertThatNoException().isThrownBy(() -> RestoreRules.check(options));
        assertThatNoException().isThrownBy(() -> RestoreRules.check(new Configuration()));
    }

    private Configuration options(OperatorSubtaskState state) throws IOException {
        OperatorState operator = new OperatorState(null, null, new OperatorID(), 1, 2);
        operator.putState(0, state);
        try (OutputStream out = Files.newOutputStream(folder.resolve("_metadata"))) {
            Checkpoints.storeCheckpointMetadata(
                    new CheckpointMetadata(1, List.of(operator), List.of()), out);
        }
        Configuration options = new Configuration();
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, folder.toUri().toString());
        return options;
    }
}
