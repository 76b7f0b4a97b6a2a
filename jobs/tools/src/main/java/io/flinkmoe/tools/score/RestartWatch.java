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

/** Tells each restart of an embedded job in a line, but the same cause once a minute at most. */
@Internal
public final class RestartWatch extends Thread {

    private static final long POLL_MILLIS = 500;
    private static final long SILENCE_MILLIS = 60_000;

    private final EmbeddedFlink flink;
    private final JobID job;
    private final PrintWriter err;
    private final Map<String, Long> toldAt = new HashMap<>();
    private long lastFailure;

    public RestartWatch(EmbeddedFlink flink, JobID job, PrintWriter err) {
        super("restart-watch");
        setDaemon(true);
        this.flink = flink;
        this.job = job;
        this.err = err;
    }

    /** Looks after the job until it has ended, or its cluster has. */
    @Override
    public void run() {
        try {
            while (isToBeWatched()) {
                Thread.sleep(POLL_MILLIS);
            }
        } catch (ExecutionException | InterruptedException | IllegalStateException e) {
            // The cluster is ending: whoever waits for the job learns how.
        }
    }

    private boolean isToBeWatched() throws ExecutionException, InterruptedException {
        try {
            AccessExecutionGraph graph = flink.job(job);
            JobStatus status = graph.getState();
            if (status == JobStatus.FAILING || status.isTerminalState()) {
                return false;
            }
            look(graph.getFailureInfo());
        } catch (TimeoutException e) {
            // It is busy: the next look tells.
        }
        return true;
    }

    private void look(ErrorInfo failure) {
        if (failure != null && failure.getTimestamp() != lastFailure) {
            lastFailure = failure.getTimestamp();
            ClassLoader classes = RestartWatch.class.getClassLoader();
            failed(
                    ErrorReport.rootReason(failure.getException().deserializeError(classes)),
                    lastFailure);
        }
    }

    /**
     * The job failed and is being restarted.
     *
     * @param at when, in milliseconds
     */
    public void failed(String reason, long at) {
        String line = reason.lines().findFirst().orElse(reason);
        // Without its numbers: the same outage names now this partition, now that.
        String cause = line.replaceAll("\\d+", "#");
        Long before = toldAt.get(cause);
        if (before == null || at - before >= SILENCE_MILLIS) {
            toldAt.put(cause, at);
            err.println("moe: the job failed and restarts: " + line);
            err.flush();
        }
    }
}
