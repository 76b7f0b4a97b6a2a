// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
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
 * @param outputSize the number of values of a result
 * @param encoder the model [batch, inputSize] → [batch, input size of the first layer]; null if the
 *     first layer reads the values of a token
 * @param head the model [batch, output size of the last layer] → [batch, outputSize]; null if the
 *     output of the last layer is the result
 * @param layers the MoE layers in order, at least one; each reads the output of the one before it
 * @param checksums the SHA-256 of every file, in lower-case hexadecimal digits
 */
@PublicEvolving
public record BundleSpec(
        int formatVersion,
        String name,
        String version,
        int inputSize,
        int outputSize,
        ModelFile encoder,
        ModelFile head,
        List<LayerSpec> layers,
        Map<String, String> checksums) {

    /** The format version that this release reads and writes. */
    public static final int FORMAT_VERSION = 2;

    public BundleSpec {
        if (formatVersion != FORMAT_VERSION) {
            throw new IllegalArgumentException(otherFormat(formatVersion));
        }
        Check.text("name", name);
        Check.text("version", version);
        Check.width("input_size", inputSize);
        Check.width("output_size", outputSize);
        layers = Check.list("layers", layers);
        int first = layers.get(0).inputSize();
        int last = layers.get(layers.size() - 1).outputSize();
        checkWithout("encoder", encoder, "input_size", inputSize, "layers[0].input_size", first);
        checkWithout(
                "head",
                head,
                "output_size",
                outputSize,
                "layers[%d].output_size".formatted(layers.size() - 1),
                last);
        for (int i = 1; i < layers.size(); i++) {
            checkChain(layers, i);
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

    /** Says that a format is not the one of this release. */
    static String otherFormat(int version) {
        return "format_version is %d; this release reads %d; make the bundle again: moe import --checkpoint CHECKPOINT --output BUNDLE"
                .formatted(version, FORMAT_VERSION);
    }

    /** All files that the encoder, the layers and the head refer to, each once. */
    public Set<String> files() {
        return files(encoder, head, layers);
    }

    private static Set<String> files(ModelFile encoder, ModelFile head, List<LayerSpec> layers) {
        Set<String> files = new LinkedHashSet<>();
        if (encoder != null) {
            files.add(encoder.file());
        }
        layers.forEach(layer -> layer.files().map(ModelFile::file).forEach(files::add));
        if (head != null) {
            files.add(head.file());
        }
        return files;
    }

    private static void checkChain(List<LayerSpec> layers, int i) {
        int before = layers.get(i - 1).outputSize();
        LayerSpec layer = layers.get(i);
        if (layer.inputSize() != before) {
            throw new IllegalArgumentException(
                    "layers[%d].input_size is %d, but output_size of layers[%d] is %d; they must be equal"
                            .formatted(i, layer.inputSize(), i - 1, before));
        }
        if (layer.gates().stream().anyMatch(GateSpec::readsToken)) {
            throw new IllegalArgumentException(
                    "router_input of layers[%d] is token; only the routers of layers[0] can read the token's own values"
                            .formatted(i));
        }
    }

    private static void checkWithout(
            String field,
            ModelFile file,
            String sizeField,
            int size,
            String layerField,
            int width) {
        if (file == null && size != width) {
            throw new IllegalArgumentException(
                    "%s is %d, but %s is %d; without %s they must be equal"
                            .formatted(sizeField, size, layerField, width, field));
        }
    }

    /** The width of the vectors that the head reads, or of the results. */
    public int lastSize() {
        return layers.get(layers.size() - 1).outputSize();
    }

    /** The width of the vectors that the first layer reads. */
    public int firstSize() {
        return layers.get(0).inputSize();
    }

    /** The width of the widest vectors between, before and after the layers. */
    public int widestSize() {
        int widest = Math.max(inputSize, outputSize);
        for (LayerSpec layer : layers) {
            widest = Math.max(widest, Math.max(layer.inputSize(), layer.outputSize()));
        }
        return widest;
    }
}
