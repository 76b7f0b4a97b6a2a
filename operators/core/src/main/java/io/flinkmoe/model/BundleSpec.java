package io.flinkmoe.model;

import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;

/**
 * What model.json says. Files are paths relative to the bundle.
 *
 * @param version stamped on every scored token
 * @param inputSize the width of a token's values
 * @param hiddenSize d, the width inside and between the layers
 * @param outputSize the width of a result
 * @param encoder the model [batch, inputSize] → [batch, d], or null if tokens are d wide
 * @param head the model [batch, d] → [batch, outputSize], or null if results are d wide
 * @param layers the MoE layers in order, at least one
 * @param checksums the SHA-256 of every file, in lower-case hexadecimal digits
 */
public record BundleSpec(
        int formatVersion,
        String name,
        String version,
        int inputSize,
        int hiddenSize,
        int outputSize,
        String encoder,
        String head,
        List<LayerSpec> layers,
        Map<String, String> checksums) {

    /** The format that this release reads and writes. */
    public static final int FORMAT_VERSION = 1;

    public BundleSpec {
        if (formatVersion != FORMAT_VERSION) {
            throw new IllegalArgumentException(
                    "format_version is %d; this release reads %d: import the model again"
                            .formatted(formatVersion, FORMAT_VERSION));
        }
        Check.text("name", name);
        Check.text("version", version);
        Check.width("input_size", inputSize);
        Check.width("hidden_size", hiddenSize);
        Check.width("output_size", outputSize);
        checkEnd("encoder", encoder, "input_size", inputSize, hiddenSize);
        checkEnd("head", head, "output_size", outputSize, hiddenSize);
        if (layers == null || layers.isEmpty() || layers.stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException("layers is missing or empty; name at least one");
        }
        layers = List.copyOf(layers);
        for (LayerSpec layer : layers.subList(1, layers.size())) {
            if (layer.routerInput() == LayerSpec.RouterInput.TOKEN) {
                throw new IllegalArgumentException(
                        "router_input is token in a later layer; only the first one sees the token's own values");
            }
        }
        checksums = new TreeMap<>(Check.present("checksums", checksums));
        for (String file : checksums.keySet()) {
            Check.path("checksums", file);
        }
        for (String file : files(encoder, head, layers)) {
            if (checksums.get(file) == null) {
                throw new IllegalArgumentException(
                        "checksums lacks %s; give the SHA-256 of every file".formatted(file));
            }
        }
        checksums = Collections.unmodifiableMap(checksums);
    }

    /** All files that the bundle's parts name, each once. */
    public Set<String> files() {
        return files(encoder, head, layers);
    }

    private static Set<String> files(String encoder, String head, List<LayerSpec> layers) {
        Set<String> files = new LinkedHashSet<>();
        if (encoder != null) {
            files.add(encoder);
        }
        layers.forEach(layer -> layer.files().forEach(files::add));
        if (head != null) {
            files.add(head);
        }
        return files;
    }

    private static void checkEnd(
            String field, String file, String sizeField, int size, int hiddenSize) {
        if (file != null) {
            Check.path(field, file);
        } else if (size != hiddenSize) {
            throw new IllegalArgumentException(
                    "%s is %d and hidden_size %d; without %s they must be equal"
                            .formatted(sizeField, size, hiddenSize, field));
        }
    }
}
