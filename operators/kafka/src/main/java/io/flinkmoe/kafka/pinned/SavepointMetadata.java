// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.pinned;

import java.io.DataInputStream;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;
import org.apache.flink.runtime.state.filesystem.AbstractFsCheckpointStorageAccess;

/** Reads the metadata of savepoints and checkpoints. */
@Internal
public final class SavepointMetadata {

    private SavepointMetadata() {}

    /**
     * Reads the metadata.
     *
     * @param path the directory of the savepoint, or its metadata file
     */
    public static CheckpointMetadata read(String path) throws IOException {
        try (DataInputStream in =
                new DataInputStream(
                        AbstractFsCheckpointStorageAccess.resolveCheckpointPointer(path)
                                .getMetadataHandle()
                                .openInputStream())) {
            return Checkpoints.loadCheckpointMetadata(
                    in, SavepointMetadata.class.getClassLoader(), path);
        }
    }
}
