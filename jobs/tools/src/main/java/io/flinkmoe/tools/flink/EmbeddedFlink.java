package io.flinkmoe.tools.flink;

import java.net.URI;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.client.deployment.executors.LocalExecutor;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.MetricOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.configuration.WebOptions;
import org.apache.flink.core.execution.PipelineExecutor;
import org.apache.flink.core.execution.PipelineExecutorFactory;
import org.apache.flink.core.execution.PipelineExecutorServiceLoader;
import org.apache.flink.runtime.executiongraph.AccessExecutionGraph;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.ExceptionUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Flink cluster inside this process, for one job. Unless the options say otherwise, only this
 * machine reaches it, and it takes no jars. Flink's own local environment ends its cluster in the
 * background; this one is gone once it is closed.
 */
@Internal
public final class EmbeddedFlink implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(EmbeddedFlink.class);

    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final Configuration options;
    private volatile MiniCluster cluster;

    /**
     * @param options options of Flink, for the cluster and the job
     */
    public EmbeddedFlink(Configuration options) {
        this.options = withDefaults(options);
    }

    private static Configuration withDefaults(Configuration given) {
        Configuration options = new Configuration(given);
        setDefault(options, RestOptions.ADDRESS, "localhost");
        setDefault(options, RestOptions.BIND_ADDRESS, "localhost");
        setDefault(options, JobManagerOptions.BIND_HOST, "localhost"); // the blob server's, too
        setDefault(options, TaskManagerOptions.BIND_HOST, "localhost");
        setDefault(options, WebOptions.SUBMIT_ENABLE, false);
        setDefault(options, MetricOptions.METRIC_FETCHER_UPDATE_INTERVAL, Duration.ofSeconds(1));
        BlockBuffers.setDefaults(options);
        setDefault(
                options,
                CoreOptions.DEFAULT_PARALLELISM,
                Runtime.getRuntime().availableProcessors());
        options.set(DeploymentOptions.TARGET, LocalExecutor.NAME);
        options.set(DeploymentOptions.ATTACHED, true);
        return options;
    }

    private static <T> void setDefault(Configuration options, ConfigOption<T> option, T value) {
        if (!options.contains(option)) {
            options.set(option, value);
        }
    }

    /** An environment whose job starts the cluster when it is executed. */
    public StreamExecutionEnvironment environment() {
        return new StreamExecutionEnvironment(
                new Executors(), options, EmbeddedFlink.class.getClassLoader());
    }

    /**
     * The job as it is now.
     *
     * @throws ExecutionException if the cluster does not know it, any more or yet
     * @throws TimeoutException if the cluster does not answer in time
     */
    public AccessExecutionGraph job(JobID job)
            throws ExecutionException, InterruptedException, TimeoutException {
        try {
            return cluster.getExecutionGraph(job).get(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            // Flink's own patience ends sooner.
            Optional<TimeoutException> timeout =
                    ExceptionUtils.findThrowable(e, TimeoutException.class);
            if (timeout.isPresent()) {
                throw timeout.get();
            }
            throw e;
        }
    }

    /** Whether the cluster runs, once a job was started. */
    public boolean isRunning() {
        return cluster.isRunning();
    }

    /** Where the cluster's REST API answers, once a job was started. */
    public URI restAddress() throws ExecutionException, InterruptedException, TimeoutException {
        return cluster.getRestAddress().get(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
    }

    /** Ends the cluster, and its job if it runs, and waits until both are gone. */
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
            LOG.warn("The embedded cluster did not end in an orderly way", e);
        }
    }

    private MiniCluster newCluster(MiniClusterConfiguration configuration) {
        cluster = new MiniCluster(configuration);
        return cluster;
    }

    /** Flink's local executor, on a cluster that is ours to close. */
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
