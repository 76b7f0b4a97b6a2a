// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.tools.flink.FlinkRest;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
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
import org.apache.flink.configuration.HighAvailabilityOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.core.execution.SavepointFormatType;

/** A client for the leading JobManager. Each call fails fast if no JobManager leads. */
@Internal
public final class ClusterRest extends FlinkRest implements AutoCloseable {

    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final Duration SAVEPOINT_TIMEOUT = Duration.ofMinutes(2);

    private final RestClusterClient<StandaloneClusterId> client;
    private final String storage;

    /**
     * @param options the cluster's options
     * @throws IOException if the client cannot be created
     */
    ClusterRest(Configuration options) throws IOException {
        super(
                URI.create(
                        "http://%s:%d"
                                .formatted(
                                        options.get(RestOptions.ADDRESS),
                                        options.get(RestOptions.PORT))));
        storage = options.get(HighAvailabilityOptions.HA_STORAGE_PATH);
        Configuration failFast = new Configuration(options);
        failFast.set(RestOptions.RETRY_MAX_ATTEMPTS, 0);
        failFast.set(RestOptions.AWAIT_LEADER_TIMEOUT, TIMEOUT);
        try {
            client = new RestClusterClient<>(failFast, StandaloneClusterId.getInstance());
        } catch (Exception e) {
            throw new IOException("cannot create a client for the cluster: " + e.getMessage(), e);
        }
    }

    /**
     * The number of task managers that are registered at the JobManager.
     *
     * @throws IOException if no JobManager leads, or if one of another cluster has taken the port
     */
    public int taskManagers() throws IOException {
        requireThisCluster();
        return get("/overview").path("taskmanagers").asInt();
    }

    /**
     * The ids of these task managers. One that was killed stays until its heartbeat is missed; one
     * that is started again has a new id.
     */
    Set<String> taskManagerIds() throws IOException {
        requireThisCluster();
        Set<String> ids = new HashSet<>();
        get("/taskmanagers")
                .path("taskmanagers")
                .forEach(taskManager -> ids.add(taskManager.path("id").asText()));
        return ids;
    }

    /** The number of jobs that the JobManager knows, also those that have ended. */
    int jobs() throws IOException {
        return get("/jobs").path("jobs").size();
    }

    private void requireThisCluster() throws IOException {
        String key = HighAvailabilityOptions.HA_STORAGE_PATH.key();
        for (JsonNode option : get("/jobmanager/config")) {
            if (option.path("key").asText().equals(key)
                    && option.path("value").asText().equals(storage)) {
                return;
            }
        }
        throw new IOException("another Flink cluster responds at the port of this one");
    }

    public JobStatus status(JobID job) throws IOException {
        return JobStatus.valueOf(get("/jobs/" + job).path("state").asText());
    }

    /** Whether all tasks of a job run. */
    public boolean allTasksRun(JobID job) throws IOException {
        for (JsonNode vertex : get("/jobs/" + job).path("vertices")) {
            if (!vertex.path("status").asText().equals("RUNNING")) {
                return false;
            }
        }
        return true;
    }

    /** A job's latest checkpoints and savepoints, newest first. */
    public List<Checkpoint> checkpoints(JobID job) throws IOException {
        List<Checkpoint> checkpoints = new ArrayList<>();
        for (JsonNode checkpoint : get("/jobs/" + job + "/checkpoints").path("history")) {
            checkpoints.add(Checkpoint.of(checkpoint));
        }
        return checkpoints;
    }

    /** Triggers a savepoint in the cluster's folder without waiting for it. */
    public CompletableFuture<String> triggerSavepoint(JobID job) {
        return client.triggerSavepoint(job, null, SavepointFormatType.CANONICAL);
    }

    /**
     * Stops a job with a savepoint.
     *
     * @param drain whether the job first receives the end of its input and emits the results of all
     *     waiting tokens
     * @return the path of the savepoint
     */
    public String stop(JobID job, boolean drain) throws IOException {
        return await(
                client.stopWithSavepoint(job, drain, null, SavepointFormatType.CANONICAL),
                SAVEPOINT_TIMEOUT);
    }

    public void cancel(JobID job) throws IOException {
        await(client.cancel(job), TIMEOUT);
    }

    @Override
    public void close() {
        client.close();
    }

    private static <T> T await(CompletableFuture<T> future, Duration timeout) throws IOException {
        try {
            return future.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for a JobManager", e);
        } catch (TimeoutException e) {
            throw new IOException(
                    "no JobManager responded within %d s".formatted(timeout.toSeconds()), e);
        } catch (ExecutionException e) {
            throw new IOException("the JobManager reported: " + e.getCause(), e.getCause());
        }
    }
}
