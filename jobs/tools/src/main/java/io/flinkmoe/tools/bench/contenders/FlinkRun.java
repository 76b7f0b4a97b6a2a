// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import io.flinkmoe.tools.flink.BenchCluster;
import io.flinkmoe.tools.machine.CpuShare;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.runtime.executiongraph.AccessExecutionGraph;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** A running job that writes to {@link CountingSink}. It runs until it is closed. */
@Internal
public final class FlinkRun implements AutoCloseable {

    private static final long POLL_NANOS = 200_000;
    private static final long BURST_NANOS = 2_000_000;
    private static final Duration TIMEOUT = Duration.ofSeconds(60);

    /**
     * The minimum for a measurement: tokens arrive in blocks, and a few blocks would be too
     * imprecise.
     */
    private static final long MIN_TOKENS = 4096;

    /**
     * The speed of a job.
     *
     * @param tokensPerSecond by the clock
     * @param tokensPerCpuSecond by the CPU time of this process, which other processes on the
     *     machine change little
     */
    public record Speed(double tokensPerSecond, double tokensPerCpuSecond) {}

    private final BenchCluster cluster;
    private final JobID job;

    private FlinkRun(BenchCluster cluster, JobID job) {
        this.cluster = cluster;
        this.job = job;
    }

    /** Submits a job and waits for its first result. */
    public static FlinkRun start(BenchCluster cluster, StreamExecutionEnvironment env)
            throws Exception {
        CountingSink.reset();
        FlinkRun run = new FlinkRun(cluster, cluster.submit(env));
        run.awaitArrival(0);
        return run;
    }

    /** The job's current execution graph. */
    public AccessExecutionGraph graph() throws Exception {
        return cluster.job(job);
    }

    public void requireAlive() throws Exception {
        cluster.requireAlive(job);
    }

    /**
     * Measures the rate of results between two arrivals.
     *
     * @param time the minimum duration; up to three times as long if few tokens arrive
     * @return tokens per second
     */
    public double rate(Duration time) throws Exception {
        return speed(time).tokensPerSecond;
    }

    /** The same, also by CPU time. */
    public Speed speed(Duration time) throws Exception {
        Mark from = mark();
        long end = System.nanoTime() + time.toNanos();
        long latest = System.nanoTime() + 3 * time.toNanos();
        while (System.nanoTime() < end
                || System.nanoTime() < latest && CountingSink.count() - from.count < MIN_TOKENS) {
            Thread.sleep(5);
        }
        Mark to = mark();
        double tokens = to.count - from.count;
        return new Speed(
                tokens * 1e9 / (to.nanos - from.nanos),
                tokens * 1e9 / (to.cpuNanos - from.cpuNanos));
    }

    private record Mark(long nanos, long cpuNanos, long count) {}

    /** The time of the next arrival. The count includes all results of the same block. */
    private Mark mark() throws Exception {
        long nanos = awaitArrival(CountingSink.count());
        long cpuNanos = CpuShare.ownNanos();
        LockSupport.parkNanos(BURST_NANOS);
        return new Mark(nanos, cpuNanos, CountingSink.count());
    }

    private long awaitArrival(long before) throws Exception {
        long deadline = System.nanoTime() + TIMEOUT.toNanos();
        for (long polls = 1; CountingSink.count() == before; polls++) {
            LockSupport.parkNanos(POLL_NANOS);
            if (polls % 5000 == 0) {
                requireAlive();
            }
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException(
                        "no result arrived within %d s".formatted(TIMEOUT.toSeconds()));
            }
        }
        return System.nanoTime();
    }

    @Override
    public void close() {
        cluster.cancel(job);
    }
}
