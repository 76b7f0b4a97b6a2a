// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.tools.cluster.ClusterRest;
import java.io.IOException;
import java.time.Duration;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;

/** Waits for conditions of a job on a cluster, even while the cluster does not respond. */
@Internal
final class JobWatch {

    private static final Duration TIMEOUT = Duration.ofMinutes(3);

    private final ClusterRest rest;

    JobWatch(ClusterRest rest) {
        this.rest = rest;
    }

    /** A condition. It throws an exception if the cluster does not respond. */
    interface Condition {
        boolean holds() throws IOException;
    }

    /** A query. A null result means that there is no result yet. */
    interface Query<T> {
        T run() throws IOException;
    }

    /**
     * Waits until a condition holds. Requests that fail are repeated.
     *
     * @throws IOException if it takes longer than three minutes, or the job has failed permanently
     */
    void await(String what, JobID job, Condition condition)
            throws IOException, InterruptedException {
        awaitResult(what, job, () -> condition.holds() ? true : null);
    }

    /** Waits in the same way until a query has a result. */
    <T> T awaitResult(String what, JobID job, Query<T> query)
            throws IOException, InterruptedException {
        long deadline = System.nanoTime() + TIMEOUT.toNanos();
        IOException failure = null;
        while (System.nanoTime() < deadline) {
            try {
                T result = query.run();
                if (result != null) {
                    return result;
                }
                if (rest.status(job) == JobStatus.FAILED) {
                    break;
                }
                failure = null;
            } catch (IOException e) {
                failure = e;
            }
            Thread.sleep(20);
        }
        throw new IOException(
                ("Waited for job %s until %s, but this did not happen within %d s, or"
                                + " the job failed. Its last failure:%n%s")
                        .formatted(job, what, TIMEOUT.toSeconds(), lastFailure(job)),
                failure);
    }

    private String lastFailure(JobID job) {
        try {
            return rest.get("/jobs/" + job + "/exceptions")
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
