package io.flinkmoe.tools.bench.contenders;

import io.flinkmoe.tools.flink.BenchCluster;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.runtime.executiongraph.AccessExecutionGraph;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** A job that writes to {@link Arrivals}, running until closed. */
@Internal
public final class FlinkRun implements AutoCloseable {

    private static final long POLL_NANOS = 200_000;
    private static final long BURST_NANOS = 2_000_000;
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    /** Where tokens come in blocks, few blocks would tell little. */
    private static final long LEAST_TOKENS = 4096;

    private final BenchCluster cluster;
    private final JobID job;

    private FlinkRun(BenchCluster cluster, JobID job) {
        this.cluster = cluster;
        this.job = job;
    }

    /** Submits a job, and waits for what it writes first. */
    public static FlinkRun start(BenchCluster cluster, StreamExecutionEnvironment env)
            throws Exception {
        Arrivals.reset();
        FlinkRun run = new FlinkRun(cluster, cluster.submit(env));
        run.awaitArrival(0);
        return run;
    }

    /** The job as it is now. */
    public AccessExecutionGraph graph() throws Exception {
        return cluster.job(job);
    }

    public void requireAlive() throws Exception {
        cluster.requireAlive(job);
    }

    /**
     * Measures how fast results arrive, from one arrival to another.
     *
     * @param time how long at least; up to three times as long if few tokens come
     * @return tokens per second
     */
    public double rate(Duration time) throws Exception {
        Mark from = mark();
        long end = System.nanoTime() + time.toNanos();
        long latest = System.nanoTime() + 3 * time.toNanos();
        while (System.nanoTime() < end
                || System.nanoTime() < latest && Arrivals.count() - from.count < LEAST_TOKENS) {
            Thread.sleep(5);
        }
        Mark to = mark();
        return (to.count - from.count) * 1e9 / (to.nanos - from.nanos);
    }

    private record Mark(long nanos, long count) {}

    /** The moment of the next arrival; what comes with it in one block is counted in. */
    private Mark mark() throws Exception {
        long nanos = awaitArrival(Arrivals.count());
        LockSupport.parkNanos(BURST_NANOS);
        return new Mark(nanos, Arrivals.count());
    }

    private long awaitArrival(long before) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        for (long polls = 1; Arrivals.count() == before; polls++) {
            LockSupport.parkNanos(POLL_NANOS);
            if (polls % 5000 == 0) {
                requireAlive();
            }
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException(
                        "no result arrived within %d s".formatted(PATIENCE.toSeconds()));
            }
        }
        return System.nanoTime();
    }

    @Override
    public void close() {
        cluster.cancel(job);
    }
}
