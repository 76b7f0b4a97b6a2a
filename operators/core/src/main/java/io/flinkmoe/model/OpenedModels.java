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
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * The record of a bundle's models that ONNX Runtime has opened: {@code opened.json} beside
 * model.json. It saves the start of a job from opening them again. It names digests, so it does not
 * cover a file that has changed; a bundle without it is valid.
 *
 * @param runtimeVersion the version of ONNX Runtime that opened the models
 * @param models what identifies each model, and what running it has shown
 */
@Internal
public record OpenedModels(String runtimeVersion, Map<String, Bits> models) {

    /** Whether the bits of a row's output depend on the rows that are in the same call. */
    public enum Bits {
        /** They do not. */
        EXACT("exact"),
        /** The last bits do. */
        ROUNDING("rounding"),
        /** The model refuses the probe rows. */
        UNCHECKED("not checked");

        private final String text;

        Bits(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }

        private static Optional<Bits> of(String text) {
            return Stream.of(values()).filter(bits -> bits.text.equals(text)).findFirst();
        }
    }

    private static final String FILE = "opened.json";
    private static final String VERSION_FIELD = "onnxruntime";
    private static final String MODELS_FIELD = "opened";
    private static final ObjectMapper MAPPER = new ObjectMapper();

    public OpenedModels {
        models = Collections.unmodifiableMap(new TreeMap<>(models));
    }

    /** The record of a bundle for a version. It is empty if there is none for this version. */
    public static OpenedModels read(Bundle bundle, String runtimeVersion) {
        Map<String, Bits> models = new TreeMap<>();
        try {
            Path file = bundle.file(FILE);
            if (Files.isRegularFile(file)) {
                JsonNode json = JsonFile.readObject(MAPPER, file, BundleException::new);
                if (json.path(VERSION_FIELD).asText().equals(runtimeVersion)) {
                    json.path(MODELS_FIELD)
                            .properties()
                            .forEach(
                                    model ->
                                            Bits.of(model.getValue().asText())
                                                    .ifPresent(
                                                            bits ->
                                                                    models.put(
                                                                            model.getKey(), bits)));
                }
            }
        } catch (IOException e) {
            models.clear(); // The models are opened again, and the record is replaced.
        }
        return new OpenedModels(runtimeVersion, models);
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
        Map<String, String> texts = new TreeMap<>();
        models.forEach((model, bits) -> texts.put(model, bits.text));
        Path written = bundle.file("." + FILE + "-" + UUID.randomUUID());
        try {
            byte[] json =
                    MAPPER.writerWithDefaultPrettyPrinter()
                            .writeValueAsBytes(
                                    new TreeMap<>(
                                            Map.of(
                                                    VERSION_FIELD,
                                                    runtimeVersion,
                                                    MODELS_FIELD,
                                                    texts)));
            Files.write(written, json);
            Files.move(written, bundle.file(FILE), StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(written);
        }
    }
}
