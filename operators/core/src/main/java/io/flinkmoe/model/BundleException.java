// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.io.IOException;
import java.nio.file.Path;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A bundle, or a file of one, is missing, damaged or inconsistent. The message begins with the
 * file.
 */
@PublicEvolving
public class BundleException extends IOException {
    private static final long serialVersionUID = 1L;

    public BundleException(Path file, String message) {
        super(file + ": " + message);
    }

    public BundleException(Path file, String message, Throwable cause) {
        super(file + ": " + message, cause);
    }
}
