// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.pinned;

import java.io.IOException;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.state.StreamStateHandle;
import org.apache.flink.streaming.api.graph.StreamGraphHasherV2;

/** Finds the pinned schemas in a savepoint or checkpoint. It reads the metadata only. */
@PublicEvolving
public final class SavepointSchemas {

    private SavepointSchemas() {}

    /**
     * Returns the schemas that a source has pinned; none if the savepoint has no such source, or if
     * it had none.
     *
     * @param path the directory of the savepoint, or its metadata file
     * @param uid the uid of the source
     * @throws IOException if the metadata cannot be read; the message names the path
     */
    public static PinnedSchemas read(String path, String uid) throws IOException {
        try {
            StreamStateHandle state = coordinatorState(SavepointMetadata.read(path), uid);
            return state == null ? PinnedSchemas.NONE : read(state);
        } catch (IOException | RuntimeException e) {
            throw new IOException(
                    "the pinned schemas of %s cannot be read from the savepoint %s: %s"
                            .formatted(uid, path, e.getMessage()),
                    e);
        }
    }

    /** The state of a source's coordinator, which has that of its enumerator; null without one. */
    private static StreamStateHandle coordinatorState(CheckpointMetadata metadata, String uid) {
        OperatorID id = new OperatorID(StreamGraphHasherV2.generateUserSpecifiedHash(uid));
        for (OperatorState operator : metadata.getOperatorStates()) {
            if (operator.getOperatorID().equals(id)) {
                return operator.getCoordinatorState();
            }
        }
        return null;
    }

    /** Flink writes a version of its own, then the version and the bytes of the enumerator. */
    private static PinnedSchemas read(StreamStateHandle state) throws IOException {
        byte[] bytes;
        try (var in = state.openInputStream()) {
            bytes = in.readAllBytes();
        }
        DataInputDeserializer in = new DataInputDeserializer(bytes);
        in.readInt();
        int version = in.readInt();
        int length = in.readInt();
        if (length < 0 || length > in.available()) {
            throw new IOException(
                    "the state of the enumerator has %d bytes; left are %d"
                            .formatted(length, in.available()));
        }
        byte[] enumerator = new byte[length];
        in.readFully(enumerator);
        return PinnedState.schemas(version, enumerator);
    }
}
