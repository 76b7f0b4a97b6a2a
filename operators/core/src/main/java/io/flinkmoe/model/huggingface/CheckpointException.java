// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import java.io.IOException;
import java.nio.file.Path;
import org.apache.flink.annotation.PublicEvolving;

/** A checkpoint is damaged, incomplete or not supported. The message begins with the file. */
@PublicEvolving
public class CheckpointException extends IOException {
    private static final long serialVersionUID = 1L;

    CheckpointException(Path file, String message) {
        super(file + ": " + message);
    }

    CheckpointException(Path file, String message, Throwable cause) {
        super(file + ": " + message, cause);
    }
}
