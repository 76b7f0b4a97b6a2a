package io.flinkmoe.tools.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.tools.flink.FlinkRest;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.client.deployment.StandaloneClusterId;
import org.apache.flink.client.program.rest.RestClusterClient;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.core.execution.SavepointFormatType;

/** Questions to the JobManager that leads, and orders for it. Each fails fast if none leads. */
@Internal
public final class ClusterRest extends FlinkRest implements AutoCloseable {

    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final Duration SAVEPOINT_TIMEOUT = Duration.ofMinutes(2);

    private final RestClusterClient<StandaloneClusterId> client;

    /**
     * @param options the cluster's
     * @throws IOException if no client can be made of them
     */
    ClusterRest(Configuration options) throws IOException {
        super(
                URI.create(
                        "http://%s:%d"
                                .formatted(
                                        options.get(RestOptions.ADDRESS),
                                        options.get(RestOptions.PORT))));
        Configuration impatient = new Configuration(options);
        impatient.set(RestOptions.RETRY_MAX_ATTEMPTS, 0);
        impatient.set(RestOptions.AWAIT_LEADER_TIMEOUT, TIMEOUT);
        try {
            client = new RestClusterClient<>(impatient, StandaloneClusterId.getInstance());
        } catch (Exception e) {
            throw new IOException("no client for the cluster: " + e.getMessage(), e);
        }
    }

    /** How many task managers the JobManager knows. */
    public int taskManagers() throws IOException {
        return ask("/overview").path("taskmanagers").asInt();
    }

    public JobStatus status(JobID job) throws IOException {
        return JobStatus.valueOf(ask("/jobs/" + job).path("state").asText());
    }

    /** Whether all tasks of a job run. */
    public boolean allTasksRun(JobID job) throws IOException {
        for (JsonNode vertex : ask("/jobs/" + job).path("vertices")) {
            if (!vertex.path("status").asText().equals("RUNNING")) {
                return false;
            }
        }
        return true;
    }

    /** A job's latest checkpoints and savepoints, the newest first. */
    public List<Checkpoint> checkpoints(JobID job) throws IOException {
        List<Checkpoint> checkpoints = new ArrayList<>();
        for (JsonNode checkpoint : ask("/jobs/" + job + "/checkpoints").path("history")) {
            checkpoints.add(Checkpoint.of(checkpoint));
        }
        return checkpoints;
    }

    /** Begins a savepoint in the cluster's folder, and does not wait for it. */
    public CompletableFuture<String> beginSavepoint(JobID job) {
        return client.triggerSavepoint(job, null, SavepointFormatType.CANONICAL);
    }

    /**
     * Stops a job with a savepoint.
     *
     * @param drain whether the job sees the end of its input first, and answers all that waits
     * @return where the savepoint lies
     */
    public String stop(JobID job, boolean drain) throws IOException {
        return get(
                client.stopWithSavepoint(job, drain, null, SavepointFormatType.CANONICAL),
                SAVEPOINT_TIMEOUT);
    }

    public void cancel(JobID job) throws IOException {
        get(client.cancel(job), TIMEOUT);
    }

    @Override
    public void close() {
        client.close();
    }

    private static <T> T get(CompletableFuture<T> future, Duration patience) throws IOException {
        try {
            return future.get(patience.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while a JobManager was asked", e);
        } catch (TimeoutException e) {
            throw new IOException(
                    "no JobManager answered within %d s".formatted(patience.toSeconds()), e);
        } catch (ExecutionException e) {
            throw new IOException("the JobManager answered: " + e.getCause(), e.getCause());
        }
    }
}
