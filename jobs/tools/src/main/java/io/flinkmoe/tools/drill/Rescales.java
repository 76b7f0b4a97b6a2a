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
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.StateRecoveryOptions;

/**
 * Ends a job in the midst of its stream, and goes on at another parallelism: from a savepoint, or
 * from an unaligned checkpoint with what was on the way.
 */
@Internal
final class Rescales {

    /** By then the windows are filling again. */
    private static final int CHECKPOINTS_BEFORE = 3;

    private final DrillSite site;
    private final Configuration options;
    private final boolean unaligned;
    private final Consumer<String> out;
    private JobID job;

    /**
     * @param job the job that runs now
     * @param options its options
     * @param unaligned whether to go on from its last checkpoint instead of a savepoint
     * @param out gets a line per change
     */
    Rescales(
            DrillSite site,
            JobID job,
            Configuration options,
            boolean unaligned,
            Consumer<String> out) {
        this.site = site;
        this.job = job;
        this.options = new Configuration(options);
        this.unaligned = unaligned;
        this.out = out;
    }

    /** The job that runs now. */
    JobID job() {
        return job;
    }

    /** Goes on at another parallelism, once the job has completed some checkpoints. */
    void execute(int parallelism) throws Exception {
        ClusterRest rest = site.rest();
        long stateSize =
                site.jobs()
                        .awaitAnswer(
                                "it has completed some checkpoints",
                                job,
                                this::stateSizeOnceUnderWay);
        int before = options.get(CoreOptions.DEFAULT_PARALLELISM);
        long stoppedAt = System.currentTimeMillis();
        options.set(
                StateRecoveryOptions.SAVEPOINT_PATH, unaligned ? cancel() : rest.stop(job, false));
        options.set(CoreOptions.DEFAULT_PARALLELISM, parallelism);
        job = site.submit(options);
        out.accept(
                String.format(
                        Locale.ROOT,
                        "from %d to %d by %s, %,d bytes of state, after %.1f s",
                        before,
                        parallelism,
                        unaligned ? "unaligned checkpoint" : "savepoint",
                        stateSize,
                        (System.currentTimeMillis() - stoppedAt) / 1e3));
    }

    /** The size of the newest checkpoint, or null if there are too few. */
    private Long stateSizeOnceUnderWay() throws IOException {
        List<Checkpoint> checkpoints = site.rest().checkpoints(job);
        long completed = checkpoints.stream().filter(Checkpoint::isCompleted).count();
        return completed < CHECKPOINTS_BEFORE ? null : checkpoints.get(0).stateSize();
    }

    private String cancel() throws IOException, InterruptedException {
        ClusterRest rest = site.rest();
        rest.cancel(job);
        site.jobs().await("it is cancelled", job, () -> rest.status(job) == JobStatus.CANCELED);
        return site.jobs()
                .awaitAnswer(
                        "its checkpoints are told",
                        job,
                        () -> rest.ask("/jobs/" + job + "/checkpoints"))
                .path("latest")
                .path("completed")
                .path("external_path")
                .asText();
    }
}
