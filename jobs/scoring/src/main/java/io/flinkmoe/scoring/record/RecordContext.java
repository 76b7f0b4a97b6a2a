// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.kafka.pinned.SavepointSchemas;
import java.io.IOException;
import java.util.Optional;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ReadableConfig;

/**
 * The job whose records are read.
 *
 * @param savepoint what the job starts from, if it does
 */
@Internal
public record RecordContext(
        ReadableConfig options,
        String sourceTopic,
        String sinkTopic,
        Optional<Savepoint> savepoint) {

    /**
     * A savepoint.
     *
     * @param path its directory or its metadata file
     * @param sourceUid the uid of the job's source
     */
    public record Savepoint(String path, String sourceUid) {

        /**
         * The schemas that the job had.
         *
         * @throws IOException if the savepoint cannot be read
         */
        PinnedSchemas schemas() throws IOException {
            return SavepointSchemas.read(path, sourceUid);
        }
    }
}
