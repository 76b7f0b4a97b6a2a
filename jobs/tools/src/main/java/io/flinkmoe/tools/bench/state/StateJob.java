// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import io.flinkmoe.tools.flink.BenchCluster;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.runtime.execution.ExecutionState;
import org.apache.flink.runtime.executiongraph.AccessExecutionGraph;
import org.apache.flink.runtime.executiongraph.AccessExecutionVertex;

/** A running job and its load. It runs until it is closed. */
@Internal
final class StateJob implements AutoCloseable {

    private static final long POLL_NANOS = 200_000;
    private static final int POLLS_PER_CHECK = 1000;

    /** How long a job may neither send tokens nor give answers while it is waited for. */
    private static final Duration TIMEOUT = Duration.ofMinutes(5);

    private final BenchCluster cluster;
    private final JobID job;
    private final WindowLoad load;
    private String path;

    StateJob(BenchCluster cluster, JobID job, WindowLoad load) {
        this.cluster = cluster;
        this.job = job;
        this.load = load;
    }

    private interface Condition {
        boolean isMet() throws Exception;
    }

    /** Sends the first tokens of the load, and waits until all of them were sent. */
    void send(long tokens) throws Exception {
        load.allow(tokens);
        awaitSent(tokens);
    }

    void awaitSent(long tokens) throws Exception {
        await(() -> load.numSent() >= tokens, "%,d sent tokens".formatted(tokens));
    }

    /** Waits until this many answers have arrived. */
    void awaitAnswers(long answers) throws Exception {
        await(() -> load.numAnswers() >= answers, "%,d answers".formatted(answers));
        load.requireOnTime();
    }

    /** Sends window 0, closes it, and waits for its answers. */
    void warmUp() throws Exception {
        long tokens = load.tokensOf(1);
        send(tokens);
        load.close(0);
        awaitAnswers(tokens);
    }

    /**
     * Waits until all tasks run.
     *
     * @return the milliseconds from the moment at which the first task began to restore its state
     *     until the last task ran
     */
    long awaitRunning() throws Exception {
        await(() -> tasks(ExecutionState.RUNNING)[0] > 0, "all tasks to run");
        return tasks(ExecutionState.RUNNING)[1] - tasks(ExecutionState.INITIALIZING)[0];
    }

    /** The first and the last time at which a task entered a state; 0 if one has not yet. */
    private long[] tasks(ExecutionState state) throws Exception {
        long first = Long.MAX_VALUE;
        long last = 0;
        for (AccessExecutionVertex task : cluster.job(job).getAllExecutionVertices()) {
            long time = task.getStateTimestamp(state);
            first = Math.min(first, time);
            last = Math.max(last, time);
        }
        return new long[] {first, last};
    }

    /** Takes a checkpoint that contains all tokens that were sent. */
    CheckpointTimes checkpoint() throws Exception {
        path = cluster.checkpoint(job);
        long id = Long.parseLong(path.substring(path.lastIndexOf('-') + 1));
        await(() -> find(id) != null, "the statistics of checkpoint %d".formatted(id));
        return find(id);
    }

    private CheckpointTimes find(long id) throws Exception {
        return checkpoints().stream()
                .filter(checkpoint -> checkpoint.id() == id && checkpoint.ended())
                .findFirst()
                .orElse(null);
    }

    /** The path of the last checkpoint that {@link #checkpoint} took. */
    String path() {
        return path;
    }

    /** The checkpoints that Flink still knows, except those that failed. */
    List<CheckpointTimes> checkpoints() throws Exception {
        return CheckpointTimes.of(graph());
    }

    /** The number of checkpoints that failed. */
    long numFailed() throws Exception {
        return graph().getCheckpointStatsSnapshot().getCounts().getNumberOfFailedCheckpoints();
    }

    private AccessExecutionGraph graph() throws Exception {
        return cluster.job(job);
    }

    private void await(Condition condition, String what) throws Exception {
        long progress = -1;
        long deadline = 0;
        for (long polls = 1; !condition.isMet(); polls++) {
            LockSupport.parkNanos(POLL_NANOS);
            if (polls % POLLS_PER_CHECK == 0) {
                cluster.requireAlive(job);
            }
            long now = load.numSent() + load.numAnswers();
            if (now != progress) {
                progress = now;
                deadline = System.nanoTime() + TIMEOUT.toNanos();
            } else if (System.nanoTime() > deadline) {
                throw new IllegalStateException(
                        "waited for %s, but for %d minutes nothing has happened; %,d tokens were sent and %,d answers have arrived%s"
                                .formatted(
                                        what,
                                        TIMEOUT.toMinutes(),
                                        load.numSent(),
                                        load.numAnswers(),
                                        pending()));
            }
        }
    }

    /** Says which tasks a checkpoint waits for. */
    private String pending() throws Exception {
        StringBuilder text = new StringBuilder();
        for (CheckpointTimes checkpoint : checkpoints()) {
            if (!checkpoint.ended()) {
                text.append("; checkpoint %d waits for".formatted(checkpoint.id()));
                checkpoint.tasks().stream()
                        .filter(task -> !task.acknowledged())
                        .forEach(task -> text.append(' ').append(task.name()));
            }
        }
        return text.toString();
    }

    @Override
    public void close() {
        cluster.cancel(job);
    }
}
