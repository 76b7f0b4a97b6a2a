// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.gates;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.testing.GatedTokens;
import io.flinkmoe.testing.JobOutcomes;
import io.flinkmoe.testing.StateSink;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.testutils.CommonTestUtils;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Jobs with several gates go on from an unaligned checkpoint at another parallelism, and with a
 * capacity that their savepoint lacks.
 */
class GatesStateIT {

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(4)
                            .build());

    @TempDir private Path directory;

    static List<Long> seeds() {
        return GatesJob.seeds();
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void goesOnFromAnUnalignedCheckpoint(long seed, @InjectMiniCluster MiniCluster cluster)
            throws Exception {
        Configuration options = GatesJob.options(seed, directory);
        GatesJob.capacity(options, seed);
        GatesJob.prepare(seed);
        GatedTokens.open();
        GatesJob.finish(GatesJob.start(options, 2));
        Map<Long, ScoredToken> scored = GatesJob.scored();
        Map<Long, DecisionRecord> decisions = GatesJob.decisions();
        Set<WindowSummary> summaries = summaries();

        GatesJob.prepare(seed);
        JobClient job = GatesJob.start(options, 2);
        awaitFirstPart(job, cluster);
        String checkpoint = cluster.triggerCheckpoint(job.getJobID()).get();
        job.cancel().get();
        CommonTestUtils.waitForJobStatus(job, List.of(JobStatus.CANCELED));
        GatedTokens.open();
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, checkpoint);
        GatesJob.finish(GatesJob.start(options, seed % 2 == 0 ? 3 : 1));

        assertThat(GatesJob.scored()).isEqualTo(scored);
        assertThat(GatesJob.decisions()).isEqualTo(decisions);
        assertThat(summaries()).isEqualTo(summaries);
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void aCapacityCanBeAdded(long seed, @InjectMiniCluster MiniCluster cluster) throws Exception {
        Configuration options = GatesJob.options(seed, directory);
        GatesJob.prepare(seed);
        JobClient job = GatesJob.start(options, 2);
        awaitFirstPart(job, cluster);
        String savepoint =
                job.stopWithSavepoint(
                                false,
                                directory.resolve("savepoints").toString(),
                                SavepointFormatType.CANONICAL)
                        .get();
        GatedTokens.open();
        GatesJob.capacity(options, seed);
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
        GatesJob.finish(GatesJob.start(options, 3));

        assertThat(GatesJob.scored()).hasSize(GatesJob.TOKENS);
        GatesJob.checkThatDecisionsAreThoseOfTheTokens();
    }

    private static void awaitFirstPart(JobClient job, MiniCluster cluster) throws Exception {
        CommonTestUtils.waitForAllTaskRunning(cluster, job.getJobID(), false);
        GatedTokens.awaitFirstPart();
    }

    /** The summaries, which must agree with the tokens. */
    private static Set<WindowSummary> summaries() {
        List<WindowSummary> summaries = StateSink.ended("summaries", WindowSummary.class);
        new JobOutcomes(StateSink.ended("scored", ScoredToken.class), List.of(), summaries)
                .checked(new TumblingWindows(GatesJob.WINDOW.toMillis()));
        assertThat(summaries).doesNotHaveDuplicates();
        return Set.copyOf(summaries);
    }
}
