// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.tools.cluster.Checkpoint;
import io.flinkmoe.tools.cluster.ClusterRest;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.RecoveryClaimMode;

/**
 * Stops a job while it processes a stream, and continues it at another parallelism: from a
 * savepoint, or from its last checkpoint, which may be unaligned.
 */
@Internal
final class Rescaler {

    /** After these checkpoints, the windows contain tokens again. */
    private static final int CHECKPOINTS_BEFORE = 3;

    private final DrillEnvironment environment;
    private final Configuration options;
    private final boolean unaligned;
    private final Consumer<String> out;
    private JobID job;

    /**
     * @param job the running job
     * @param options its options; with unaligned checkpoints, it continues from the last checkpoint
     *     instead of a savepoint
     * @param out receives one line per change
     */
    Rescaler(DrillEnvironment environment, JobID job, Configuration options, Consumer<String> out) {
        this.environment = environment;
        this.job = job;
        this.options = new Configuration(options);
        this.unaligned = options.get(CheckpointingOptions.ENABLE_UNALIGNED);
        this.out = out;
    }

    /** The running job. */
    JobID job() {
        return job;
    }

    /** Continues at another parallelism after the job has completed some checkpoints. */
    void execute(int parallelism) throws Exception {
        ClusterRest rest = environment.rest();
        long stateSize =
                environment
                        .jobs()
                        .awaitResult(
                                "it has completed some checkpoints",
                                job,
                                this::stateSizeAfterCheckpoints);
        int before = options.get(CoreOptions.DEFAULT_PARALLELISM);
        long stoppedAt = System.currentTimeMillis();
        options.set(
                StateRecoveryOptions.SAVEPOINT_PATH, unaligned ? cancel() : rest.stop(job, false));
        // Otherwise the job would log no changes from now on.
        options.set(StateRecoveryOptions.RESTORE_MODE, RecoveryClaimMode.CLAIM);
        options.set(CoreOptions.DEFAULT_PARALLELISM, parallelism);
        job = environment.submit(options);
        out.accept(
                String.format(
                        Locale.ROOT,
                        "parallelism %d to %d with %s, %,d bytes of state, running again after %.1f"
                                + " s",
                        before,
                        parallelism,
                        unaligned ? "unaligned checkpoint" : "savepoint",
                        stateSize,
                        (System.currentTimeMillis() - stoppedAt) / 1e3));
    }

    /** The state size of the newest checkpoint, or null if too few have completed. */
    private Long stateSizeAfterCheckpoints() throws IOException {
        List<Checkpoint> checkpoints = environment.rest().checkpoints(job);
        long completed = checkpoints.stream().filter(Checkpoint::isCompleted).count();
        return completed < CHECKPOINTS_BEFORE ? null : checkpoints.get(0).stateSize();
    }

    private String cancel() throws IOException, InterruptedException {
        ClusterRest rest = environment.rest();
        rest.cancel(job);
        environment
                .jobs()
                .await("it is cancelled", job, () -> rest.status(job) == JobStatus.CANCELED);
        return environment
                .jobs()
                .awaitResult(
                        "its checkpoints are reported",
                        job,
                        () -> rest.get("/jobs/" + job + "/checkpoints"))
                .path("latest")
                .path("completed")
                .path("external_path")
                .asText();
    }
}
