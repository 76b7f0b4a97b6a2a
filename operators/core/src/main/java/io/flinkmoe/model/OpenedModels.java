// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import org.apache.flink.annotation.Internal;

/**
 * The record of a bundle's models that ONNX Runtime has opened: {@code opened.json} beside
 * model.json. It saves the start of a job from opening them again. It names digests, so it does not
 * cover a file that has changed; a bundle without it is valid.
 *
 * @param runtimeVersion the version of ONNX Runtime that opened the models
 * @param digests what identifies each model
 */
@Internal
public record OpenedModels(String runtimeVersion, Set<String> digests) {

    private static final String FILE = "opened.json";
    private static final String VERSION_FIELD = "onnxruntime";
    private static final String DIGESTS_FIELD = "opened";
    private static final ObjectMapper MAPPER = new ObjectMapper();

    public OpenedModels {
        digests = Collections.unmodifiableSet(new TreeSet<>(digests));
    }

    /** The record of a bundle for a version. It is empty if there is none for this version. */
    public static OpenedModels read(Bundle bundle, String runtimeVersion) {
        Set<String> digests = new TreeSet<>();
        try {
            Path file = bundle.file(FILE);
            if (Files.isRegularFile(file)) {
                JsonNode json = JsonFile.readObject(MAPPER, file, BundleException::new);
                if (json.path(VERSION_FIELD).asText().equals(runtimeVersion)) {
                    json.path(DIGESTS_FIELD).forEach(digest -> digests.add(digest.asText()));
                }
            }
        } catch (IOException e) {
            digests.clear(); // The models are opened again, and the record is replaced.
        }
        return new OpenedModels(runtimeVersion, digests);
    }

    /**
     * Writes the record into a bundle, unless it is there already.
     *
     * @throws IOException if the folder of the bundle cannot be written
     */
    public void writeTo(Bundle bundle) throws IOException {
        if (equals(read(bundle, runtimeVersion))) {
            return;
        }
        Path written = bundle.file("." + FILE + "-" + UUID.randomUUID());
        try {
            byte[] json =
                    MAPPER.writerWithDefaultPrettyPrinter()
                            .writeValueAsBytes(
                                    new TreeMap<>(
                                            Map.of(
                                                    VERSION_FIELD,
                                                    runtimeVersion,
                                                    DIGESTS_FIELD,
                                                    digests)));
            Files.write(written, json);
            Files.move(written, bundle.file(FILE), StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(written);
        }
    }
}
