package io.flinkmoe.tools.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.annotation.Internal;

/**
 * A checkpoint or a savepoint of a job, as the JobManager tells it.
 *
 * @param status IN_PROGRESS, COMPLETED or FAILED
 * @param began when it was triggered, in milliseconds
 * @param duration from the trigger until it completed, or until now, in milliseconds
 * @param stateSize of the whole job, in bytes
 */
@Internal
public record Checkpoint(long id, String status, long began, long duration, long stateSize) {

    static Checkpoint of(JsonNode json) {
        return new Checkpoint(
                json.path("id").asLong(),
                json.path("status").asText(),
                json.path("trigger_timestamp").asLong(),
                json.path("end_to_end_duration").asLong(),
                json.path("state_size").asLong());
    }

    public boolean isCompleted() {
        return status.equals("COMPLETED");
    }
}
