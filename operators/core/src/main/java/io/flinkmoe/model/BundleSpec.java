// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The content of model.json. Files are given by their paths relative to the bundle.
 *
 * @param formatVersion the format of model.json, {@link #FORMAT_VERSION}
 * @param name the name of the model
 * @param version the version of the model; every scored token carries it
 * @param inputSize the number of values of a token
 * @param hiddenSize d, the width of the vectors inside and between the layers
 * @param outputSize the number of values of a result
 * @param encoder the model [batch, inputSize] → [batch, d]; null if tokens have d values already
 * @param head the model [batch, d] → [batch, outputSize]; null if results have d values
 * @param layers the MoE layers in order, at least one
 * @param checksums the SHA-256 of every file, in lower-case hexadecimal digits
 */
@PublicEvolving
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

    /** The format version that this release reads and writes. */
    public static final int FORMAT_VERSION = 1;

    public BundleSpec {
        if (formatVersion != FORMAT_VERSION) {
            throw new IllegalArgumentException(
                    "format_version is %d; this release reads %d; import the model again"
                            .formatted(formatVersion, FORMAT_VERSION));
        }
        Check.text("name", name);
        Check.text("version", version);
        Check.width("input_size", inputSize);
        Check.width("hidden_size", hiddenSize);
        Check.width("output_size", outputSize);
        checkEncoderOrHead("encoder", encoder, "input_size", inputSize, hiddenSize);
        checkEncoderOrHead("head", head, "output_size", outputSize, hiddenSize);
        if (layers == null || layers.isEmpty() || layers.stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException(
                    "layers is missing or empty; expected at least one layer");
        }
        layers = List.copyOf(layers);
        for (int i = 1; i < layers.size(); i++) {
            if (layers.get(i).routerInput() == LayerSpec.RouterInput.TOKEN) {
                throw new IllegalArgumentException(
                        "router_input of layers[%d] is token; only the router of layers[0] can read the token's own values"
                                .formatted(i));
            }
        }
        checksums = new TreeMap<>(Check.present("checksums", checksums));
        for (String file : checksums.keySet()) {
            Check.path("checksums", file);
        }
        for (String file : files(encoder, head, layers)) {
            if (checksums.get(file) == null) {
                throw new IllegalArgumentException(
                        "checksums has no entry for %s; expected the SHA-256 of every file"
                                .formatted(file));
            }
        }
        checksums = Collections.unmodifiableMap(checksums);
    }

    /** All files that the encoder, the layers and the head refer to, each once. */
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

    private static void checkEncoderOrHead(
            String field, String file, String sizeField, int size, int hiddenSize) {
        if (file != null) {
            Check.path(field, file);
        } else if (size != hiddenSize) {
            throw new IllegalArgumentException(
                    "%s is %d, but hidden_size is %d; without %s they must be equal"
                            .formatted(sizeField, size, hiddenSize, field));
        }
    }
}
