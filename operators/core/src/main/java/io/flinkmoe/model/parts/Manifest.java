// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A manifest.
 *
 * @param content its content: name, encoder, head, layers
 * @param file the file to name in messages
 * @param folder the folder that holds the parts
 * @param names how messages name a field, such as {@code layers[0].residual}, if it was not given
 *     in a manifest
 */
@PublicEvolving
public record Manifest(JsonNode content, Path file, Path folder, Map<String, String> names) {

    /** A manifest that was given as such. */
    public Manifest(JsonNode content, Path file, Path folder) {
        this(content, file, folder, Map.of());
    }
}
