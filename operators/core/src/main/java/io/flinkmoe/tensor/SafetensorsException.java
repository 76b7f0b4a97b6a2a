// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import java.io.IOException;
import java.nio.file.Path;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A safetensors file is damaged or does not contain a requested tensor. The message begins with the
 * file.
 */
@PublicEvolving
public class SafetensorsException extends IOException {
    private static final long serialVersionUID = 1L;

    SafetensorsException(Path file, String message) {
        super(file + ": " + message);
    }

    SafetensorsException(Path file, String tensor, String message) {
        super("%s: tensor %s: %s".formatted(file, tensor, message));
    }
}
