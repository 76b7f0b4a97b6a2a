package io.flinkmoe.model.huggingface;

import java.io.IOException;
import java.nio.file.Path;

/** A checkpoint that is damaged, not complete, or of a kind that cannot be imported. */
public class CheckpointException extends IOException {
    private static final long serialVersionUID = 1L;

    CheckpointException(Path file, String message) {
        super(file + ": " + message);
    }

    CheckpointException(Path file, String message, Throwable cause) {
        super(file + ": " + message, cause);
    }
}
