package io.flinkmoe.model.huggingface;

import java.io.IOException;
import java.nio.file.Path;

/** A checkpoint is damaged, incomplete or not supported. The message begins with the file. */
public class CheckpointException extends IOException {
    private static final long serialVersionUID = 1L;

    CheckpointException(Path file, String message) {
        super(file + ": " + message);
    }

    CheckpointException(Path file, String message, Throwable cause) {
        super(file + ": " + message, cause);
    }
}
