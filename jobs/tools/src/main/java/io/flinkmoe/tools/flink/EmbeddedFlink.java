// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flink;

import io.flinkmoe.scoring.ChangesOfWindows;
import java.net.URI;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.JobID;
import org.apache.flink.client.deployment.executors.LocalExecutor;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.MetricOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.configuration.WebOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.PipelineExecutor;
import org.apache.flink.core.execution.PipelineExecutorFactory;
import org.apache.flink.core.execution.PipelineExecutorServiceLoader;
import org.apache.flink.runtime.executiongraph.AccessExecutionGraph;
import org.apache.flink.runtime.executiongraph.ErrorInfo;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.apache.flink.util.ExceptionUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Flink cluster in this process, for one job. By default, only this machine can reach it, and it
 * does not accept jars. Flink's own local environment stops its cluster in the background. This
 * cluster has stopped when {@link #close} returns.
 */
@Internal
public final class EmbeddedFlink implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(EmbeddedFlink.class);

    private static final Duration POLL = Duration.ofSeconds(1);
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final Configuration options;
    private final LocalNetwork network;
    private volatile MiniCluster cluster;

    /**
     * @param options the Flink options of the cluster and the job
     */
    public EmbeddedFlink(Configuration options) {
        this.options = withDefaults(options);
        this.network = new LocalNetwork(new Configuration(options));
    }

    private static Configuration withDefaults(Configuration given) {
        Configuration options = new Configuration(given);
        setDefault(options, RestOptions.ADDRESS, "localhost");
        setDefault(options, RestOptions.BIND_ADDRESS, "localhost");
        setDefault(options, JobManagerOptions.BIND_HOST, "localhost"); // also of the blob server
        setDefault(options, TaskManagerOptions.BIND_HOST, "localhost");
        setDefault(options, WebOptions.SUBMIT_ENABLE, false);
        setDefault(options, MetricOptions.METRIC_FETCHER_UPDATE_INTERVAL, Duration.ofSeconds(1));
        setDefault(
                options,
                CoreOptions.DEFAULT_PARALLELISM,
                Runtime.getRuntime().availableProcessors());
        options.getOptional(CheckpointingOptions.CHECKPOINTS_DIRECTORY)
                .filter(folder -> !folder.isBlank())
                .ifPresent(folder -> ChangesOfWindows.store(options, folder + "/changes"));
        options.set(DeploymentOptions.TARGET, LocalExecutor.NAME);
        options.set(DeploymentOptions.ATTACHED, true);
        return options;
    }

    private static <T> void setDefault(Configuration options, ConfigOption<T> option, T value) {
        if (!options.contains(option)) {
            options.set(option, value);
        }
    }

    /**
     * Creates an environment. Executing its job starts the cluster, whose network memory is sized
     * for the job.
     */
    public StreamExecutionEnvironment environment() {
        return new Environment();
    }

    /**
     * The current execution graph of a job.
     *
     * @throws ExecutionException if the cluster does not know the job
     * @throws TimeoutException if the cluster does not respond in time
     */
    public AccessExecutionGraph job(JobID job)
            throws ExecutionException, InterruptedException, TimeoutException {
        try {
            return cluster.getExecutionGraph(job).get(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            // Flink's own timeout is shorter.
            Optional<TimeoutException> timeout =
                    ExceptionUtils.findThrowable(e, TimeoutException.class);
            if (timeout.isPresent()) {
                throw timeout.get();
            }
            throw e;
        }
    }

    /**
     * Waits until a job has ended.
     *
     * @throws ExecutionException if the job failed
     * @throws IllegalStateException if the task manager has ended, as it does after a fatal error.
     *     Flink then waits forever for another one
     */
    public void await(JobClient job) throws ExecutionException, InterruptedException {
        CompletableFuture<JobExecutionResult> result = job.getJobExecutionResult();
        TaskManagerWatch watch = new TaskManagerWatch(System.nanoTime());
        while (true) {
            try {
                result.get(POLL.toMillis(), TimeUnit.MILLISECONDS);
                return;
            } catch (TimeoutException e) {
                check(watch, job.getJobID());
            }
        }
    }

    private void check(TaskManagerWatch watch, JobID job) throws InterruptedException {
        try {
            int taskManagers =
                    cluster.requestClusterOverview()
                            .get(TIMEOUT.toSeconds(), TimeUnit.SECONDS)
                            .getNumTaskManagersConnected();
            watch.check(taskManagers, failure(job), System.nanoTime());
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("The embedded cluster is busy or ending", e);
        }
    }

    /** The last failure of a job; empty if there is none, or if the cluster does not respond. */
    private Optional<Throwable> failure(JobID job) throws InterruptedException {
        try {
            ErrorInfo failure = job(job).getFailureInfo();
            ClassLoader classes = EmbeddedFlink.class.getClassLoader();
            return Optional.ofNullable(failure)
                    .map(info -> info.getException().deserializeError(classes));
        } catch (ExecutionException | TimeoutException e) {
            return Optional.empty();
        }
    }

    /** Whether the cluster runs. Requires that a job was started. */
    public boolean isRunning() {
        return cluster.isRunning();
    }

    /** The address of the cluster's REST API. Requires that a job was started. */
    public URI restAddress() throws ExecutionException, InterruptedException, TimeoutException {
        return cluster.getRestAddress().get(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
    }

    /** Stops the cluster and its job, and waits until both have ended. */
    @Override
    public void close() {
        if (cluster == null) {
            return;
        }
        try {
            cluster.closeAsync().get(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.warn("The embedded cluster did not shut down cleanly", e);
        }
    }

    private MiniCluster newCluster(MiniClusterConfiguration configuration) {
        cluster = new MiniCluster(configuration);
        return cluster;
    }

    /** An environment whose cluster fits its job. */
    @SuppressWarnings("try") // Flink's environment may be interrupted when it is closed.
    private final class Environment extends StreamExecutionEnvironment {

        Environment() {
            super(new Executors(), options, EmbeddedFlink.class.getClassLoader());
        }

        /** Flink asks for the graph, and starts the cluster afterwards. */
        @Override
        public StreamGraph getStreamGraph(boolean clearTransformations) {
            network.fit(super.getStreamGraph(false).getJobGraph(), configuration);
            return super.getStreamGraph(clearTransformations);
        }
    }

    /** Flink's local executor, with a cluster that this class closes. */
    private final class Executors
            implements PipelineExecutorServiceLoader, PipelineExecutorFactory {

        @Override
        public PipelineExecutorFactory getExecutorFactory(Configuration configuration) {
            return this;
        }

        @Override
        public Stream<String> getExecutorNames() {
            return Stream.of(getName());
        }

        @Override
        public String getName() {
            return LocalExecutor.NAME;
        }

        @Override
        public boolean isCompatibleWith(Configuration configuration) {
            return true;
        }

        @Override
        public PipelineExecutor getExecutor(Configuration configuration) {
            return LocalExecutor.createWithFactory(configuration, EmbeddedFlink.this::newCluster);
        }
    }
}
