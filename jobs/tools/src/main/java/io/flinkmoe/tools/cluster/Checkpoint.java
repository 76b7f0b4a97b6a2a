// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.annotation.Internal;

/**
 * A checkpoint or savepoint of a job, as reported by the JobManager.
 *
 * @param status IN_PROGRESS, COMPLETED or FAILED
 * @param triggered the time of the trigger, in milliseconds
 * @param duration the time from the trigger to its completion, or until now, in milliseconds
 * @param stateSize the size of the job's state, in bytes
 */
@Internal
public record Checkpoint(long id, String status, long triggered, long duration, long stateSize) {

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
