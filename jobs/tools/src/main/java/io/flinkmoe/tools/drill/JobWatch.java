package io.flinkmoe.tools.drill;

import io.flinkmoe.tools.cluster.ClusterRest;
import java.io.IOException;
import java.time.Duration;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;

/** Waits for what a job on a cluster does, even while the cluster does not answer. */
@Internal
final class JobWatch {

    private static final Duration PATIENCE = Duration.ofMinutes(3);

    private final ClusterRest rest;

    JobWatch(ClusterRest rest) {
        this.rest = rest;
    }

    /** Something that can be asked of a cluster that is perhaps not there. */
    interface Condition {
        boolean holds() throws IOException;
    }

    /** Something that such a cluster can tell; null is no answer yet. */
    interface Question<T> {
        T ask() throws IOException;
    }

    /**
     * Waits until something is true of a job, however often the cluster does not answer.
     *
     * @throws IOException if it takes longer than three minutes, or the job fails for good
     */
    void await(String what, JobID job, Condition condition)
            throws IOException, InterruptedException {
        awaitAnswer(what, job, () -> condition.holds() ? true : null);
    }

    /** Waits likewise until there is an answer. */
    <T> T awaitAnswer(String what, JobID job, Question<T> question)
            throws IOException, InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        IOException unanswered = null;
        while (System.nanoTime() < deadline) {
            try {
                T answer = question.ask();
                if (answer != null) {
                    return answer;
                }
                if (rest.status(job) == JobStatus.FAILED) {
                    break;
                }
                unanswered = null;
            } catch (IOException e) {
                unanswered = e;
            }
            Thread.sleep(20);
        }
        throw new IOException(
                "Of job %s it is not so that %s, after %d s at most; its last failure:%n%s"
                        .formatted(job, what, PATIENCE.toSeconds(), lastFailure(job)),
                unanswered);
    }

    private String lastFailure(JobID job) {
        try {
            return rest.ask("/jobs/" + job + "/exceptions")
                    .path("exceptionHistory")
                    .path("entries")
                    .path(0)
                    .path("stacktrace")
                    .asText("none");
        } catch (IOException e) {
            return "unknown: " + e.getMessage();
        }
    }
}
