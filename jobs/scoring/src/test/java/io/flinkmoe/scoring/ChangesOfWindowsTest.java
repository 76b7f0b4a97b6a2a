// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.TumblingWindows;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.changelog.fs.FsStateChangelogOptions;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.StateChangelogOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.RecoveryClaimMode;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ChangesOfWindowsTest {

    private static final TumblingWindows MINUTE = new TumblingWindows(60_000);
    private static final Capacity PRIORITIZED =
            AtWindowClose.of(MINUTE, CapacityFormula.fixed(2), AdmissionOrder.POSITION);

    private final Configuration job = new Configuration();
    private final Configuration cluster = new Configuration();
    private final List<String> warnings = new ArrayList<>();

    @BeforeEach
    void storeChanges() {
        ChangesOfWindows.store(cluster, "file:///changes");
    }

    @Test
    void aJobWithWindowsOnTheHeapLogsChanges() {
        setDefaults(PRIORITIZED);
        assertThat(job.get(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG)).isTrue();
        assertThat(job.get(StateChangelogOptions.PERIODIC_MATERIALIZATION_INTERVAL))
                .isEqualTo(Duration.ofSeconds(30));
        assertThat(warnings).isEmpty();
    }

    @Test
    void otherJobsDoNot() {
        setDefaults(FirstCome.of(MINUTE, 2));
        assertThat(job.keySet()).isEmpty();

        job.set(StateBackendOptions.STATE_BACKEND, "rocksdb");
        setDefaults(PRIORITIZED);
        assertThat(job.keySet()).containsExactly(StateBackendOptions.STATE_BACKEND.key());
    }

    @Test
    void aJobLogsNoChangesOnAClusterThatDoesNotStoreThemInFiles() {
        cluster.set(StateChangelogOptions.STATE_CHANGE_LOG_STORAGE, "memory");
        setDefaults(PRIORITIZED);
        assertThat(job.keySet()).isEmpty();
    }

    @Test
    void aJobWithSeveralCheckpointsAtATimeLogsNone() {
        job.set(CheckpointingOptions.MAX_CONCURRENT_CHECKPOINTS, 2);
        setDefaults(PRIORITIZED);
        assertThat(job.contains(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG)).isFalse();
    }

    @Test
    void optionsOfTheUserWin() {
        cluster.set(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG, false);
        setDefaults(PRIORITIZED);
        assertThat(job.contains(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG)).isFalse();

        Configuration mine = new Configuration();
        mine.set(FsStateChangelogOptions.BASE_PATH, "file:///mine");
        mine.set(FsStateChangelogOptions.UPLOAD_TIMEOUT, Duration.ofSeconds(3));
        ChangesOfWindows.store(mine, "file:///changes");
        assertThat(mine.get(FsStateChangelogOptions.BASE_PATH)).isEqualTo("file:///mine");
        assertThat(mine.get(FsStateChangelogOptions.UPLOAD_TIMEOUT)).hasSeconds(3);
        assertThat(mine.get(StateChangelogOptions.STATE_CHANGE_LOG_STORAGE))
                .isEqualTo("filesystem");
    }

    @Test
    void theFoldersOptionIsFlinks() {
        assertThat(ChangesOfWindows.BASE_PATH.key())
                .isEqualTo(FsStateChangelogOptions.BASE_PATH.key());
        assertThat(ChangesOfWindows.UPLOAD_TIMEOUT.key())
                .isEqualTo(FsStateChangelogOptions.UPLOAD_TIMEOUT.key());
        assertThat(ChangesOfWindows.WAITING.key())
                .isEqualTo(FsStateChangelogOptions.IN_FLIGHT_DATA_LIMIT.key());
    }

    @Test
    void aJobThatStartsFromASavepointLogsChangesOnlyIfItClaimsIt() {
        job.set(StateRecoveryOptions.SAVEPOINT_PATH, "file:///savepoint-1");
        setDefaults(PRIORITIZED);
        assertThat(job.contains(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG)).isFalse();
        assertThat(warnings)
                .singleElement()
                .asString()
                .contains("execution.state-recovery.claim-mode: NO_CLAIM; set CLAIM");

        cluster.set(StateRecoveryOptions.RESTORE_MODE, RecoveryClaimMode.CLAIM);
        setDefaults(PRIORITIZED);
        assertThat(job.get(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG)).isTrue();
    }

    private void setDefaults(Capacity capacity) {
        ChangesOfWindows.setDefaults(job, cluster, capacity, warnings::add);
    }
}
