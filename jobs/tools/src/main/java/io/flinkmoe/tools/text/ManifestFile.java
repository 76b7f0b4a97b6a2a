// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.text;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.parts.Manifest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;

/** Reads manifests of parts, which are YAML. */
@Internal
public final class ManifestFile {

    private static final YAMLMapper YAML =
            YAMLMapper.builder()
                    .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build();

    private ManifestFile() {}

    /**
     * Reads a manifest of parts that are in its folder.
     *
     * @throws BundleException if it is not YAML
     */
    public static Manifest read(Path file) throws IOException {
        try {
            return new Manifest(
                    YAML.readTree(Files.readAllBytes(file)), file, file.resolveSibling(""));
        } catch (JsonProcessingException e) {
            throw new BundleException(file, "not valid YAML: " + e.getOriginalMessage(), e);
        }
    }
}
