// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import io.flinkmoe.scoring.cli.ErrorReport;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import java.io.PrintWriter;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.runtime.executiongraph.AccessExecutionGraph;
import org.apache.flink.runtime.executiongraph.ErrorInfo;

/**
 * Prints a line for each restart of an embedded job, but at most one per minute for the same cause.
 */
@Internal
public final class RestartWatch extends Thread {

    private static final long POLL_MILLIS = 500;
    private static final long SILENCE_MILLIS = 60_000;

    private final EmbeddedFlink flink;
    private final JobID job;
    private final PrintWriter err;
    private final Map<String, Long> printedAt = new HashMap<>();
    private long lastFailure;

    public RestartWatch(EmbeddedFlink flink, JobID job, PrintWriter err) {
        super("restart-watch");
        setDaemon(true);
        this.flink = flink;
        this.job = job;
        this.err = err;
    }

    /** Watches the job until the job or its cluster has ended. */
    @Override
    public void run() {
        try {
            while (check()) {
                Thread.sleep(POLL_MILLIS);
            }
        } catch (ExecutionException | InterruptedException | IllegalStateException e) {
            // The cluster is ending. The thread that waits for the job reports the result.
        }
    }

    private boolean check() throws ExecutionException, InterruptedException {
        try {
            AccessExecutionGraph graph = flink.job(job);
            JobStatus status = graph.getState();
            if (status == JobStatus.FAILING || status.isTerminalState()) {
                return false;
            }
            report(graph.getFailureInfo());
        } catch (TimeoutException e) {
            // The cluster is busy. The next check reports the failure.
        }
        return true;
    }

    private void report(ErrorInfo failure) {
        if (failure != null && failure.getTimestamp() != lastFailure) {
            lastFailure = failure.getTimestamp();
            ClassLoader classes = RestartWatch.class.getClassLoader();
            failed(
                    ErrorReport.rootReason(failure.getException().deserializeError(classes)),
                    lastFailure);
        }
    }

    /**
     * Reports that the job failed and is being restarted.
     *
     * @param at the time of the failure in milliseconds
     */
    public void failed(String reason, long at) {
        String line = reason.lines().findFirst().orElse(reason);
        // Without numbers, because one outage causes errors for several partitions.
        String cause = line.replaceAll("\\d+", "#");
        Long previous = printedAt.get(cause);
        if (previous == null || at - previous >= SILENCE_MILLIS) {
            printedAt.put(cause, at);
            err.println("moe: the job failed and restarts: " + line);
            err.flush();
        }
    }
}
