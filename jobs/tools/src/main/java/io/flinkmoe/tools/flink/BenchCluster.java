// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flink;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.ResourceManagerOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.core.execution.RecoveryClaimMode;
import org.apache.flink.runtime.executiongraph.AccessExecutionGraph;
import org.apache.flink.runtime.jobgraph.SavepointRestoreSettings;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamGraph;

/** A Flink cluster in this process. It runs all jobs of the benchmark, one after another. */
@Internal
public final class BenchCluster implements AutoCloseable {

    private static final long TIMEOUT_SECONDS = 60;
    private static final long CHECKPOINT_SECONDS = 600;

    private final MiniCluster cluster;
    private final Configuration options;
    private final Configuration given;

    private BenchCluster(MiniCluster cluster, Configuration options, Configuration given) {
        this.cluster = cluster;
        this.options = options;
        this.given = given;
    }

    /**
     * Starts a cluster of one task manager.
     *
     * @param options Flink options that override the benchmark's
     */
    public static BenchCluster start(int slots, Configuration options) throws Exception {
        Configuration all = new Configuration();
        all.set(RestOptions.BIND_PORT, "0");
        all.set(RestOptions.BIND_ADDRESS, "localhost");
        all.set(JobManagerOptions.BIND_HOST, "localhost");
        all.set(TaskManagerOptions.BIND_HOST, "localhost");
        all.set(CoreOptions.TMP_DIRS, System.getProperty("java.io.tmpdir"));
        BlockBuffers.setDefaults(all);
        all.set(PipelineOptions.OBJECT_REUSE, true);
        all.set(PipelineOptions.GENERIC_TYPES, false);
        all.set(
                CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                Path.of(System.getProperty("java.io.tmpdir"), "checkpoints").toUri().toString());
        all.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        // Slots of the last job may still be in use; until then, the next one is not refused.
        all.set(ResourceManagerOptions.STANDALONE_CLUSTER_STARTUP_PERIOD_TIME, Duration.ofDays(1));
        all.addAll(options);
        MiniCluster cluster =
                new MiniCluster(
                        new MiniClusterConfiguration.Builder()
                                .setConfiguration(all)
                                .setNumTaskManagers(1)
                                .setNumSlotsPerTaskManager(slots)
                                .build());
        cluster.start();
        return new BenchCluster(cluster, all, options);
    }

    /** A copy of the options of the cluster. */
    public Configuration options() {
        return new Configuration(options);
    }

    /** Creates an environment for a job. */
    public StreamExecutionEnvironment environment(int parallelism) {
        return environment(parallelism, new Configuration());
    }

    /**
     * Creates an environment for a job.
     *
     * @param settings options of the job, such as its state backend; those given at the start
     *     override them
     */
    public StreamExecutionEnvironment environment(int parallelism, Configuration settings) {
        Configuration all = new Configuration(options);
        all.addAll(settings);
        all.addAll(given);
        StreamExecutionEnvironment env = new StreamExecutionEnvironment(all);
        env.setParallelism(parallelism);
        return env;
    }

    public JobID submit(StreamExecutionEnvironment env) throws Exception {
        return submit(env.getStreamGraph());
    }

    /**
     * Submits a job that starts from a checkpoint.
     *
     * @param checkpoint the path of the checkpoint
     */
    public JobID submit(StreamExecutionEnvironment env, String checkpoint) throws Exception {
        StreamGraph graph = env.getStreamGraph();
        graph.setSavepointRestoreSettings(
                SavepointRestoreSettings.forPath(checkpoint, false, RecoveryClaimMode.CLAIM));
        return submit(graph);
    }

    /** Submits a job, and waits until the cluster can be asked about it. */
    private JobID submit(StreamGraph graph) throws Exception {
        graph.setJobId(new JobID()); // Flink 2.3 requires it.
        JobID job = cluster.submitJob(graph).get(TIMEOUT_SECONDS, TimeUnit.SECONDS).getJobID();
        while (cluster.getJobStatus(job).get(TIMEOUT_SECONDS, TimeUnit.SECONDS)
                == JobStatus.INITIALIZING) {
            Thread.sleep(1);
        }
        return job;
    }

    /**
     * Takes a checkpoint of a job, and waits for it.
     *
     * @return its path
     */
    public String checkpoint(JobID job) throws Exception {
        return cluster.triggerCheckpoint(job).get(CHECKPOINT_SECONDS, TimeUnit.SECONDS);
    }

    /** The current execution graph of a job. */
    public AccessExecutionGraph job(JobID job) throws Exception {
        return cluster.getExecutionGraph(job).get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
    }

    /** Throws an exception with the cause if a job has failed. */
    public void requireAlive(JobID job) throws Exception {
        AccessExecutionGraph graph = job(job);
        if (graph.getState() == JobStatus.FAILED) {
            throw new IllegalStateException(
                    "a job of the benchmark failed",
                    graph.getFailureInfo() == null ? null : graph.getFailureInfo().getException());
        }
    }

    /**
     * Waits until a job has finished.
     *
     * @throws org.apache.flink.runtime.client.JobExecutionException if it failed
     */
    public void awaitEnd(JobID job, Duration timeout) throws Exception {
        cluster.requestJobResult(job)
                .get(timeout.toSeconds(), TimeUnit.SECONDS)
                .toJobExecutionResult(getClass().getClassLoader());
    }

    /** Cancels a job, and waits until it has ended. */
    public void cancel(JobID job) {
        try {
            cluster.cancelJob(job).get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
            cluster.requestJobResult(job).get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException("a job of the benchmark cannot be cancelled", e);
        }
    }

    @Override
    public void close() {
        try {
            cluster.close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Exception e) {
            throw new IllegalStateException("the benchmark's cluster did not shut down cleanly", e);
        }
    }
}
