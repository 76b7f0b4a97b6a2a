// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.LayerSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Makes a bundle from a folder of parts, as a manifest describes it. A part is an ONNX file with
 * one float input and one float output, or linear layers of a PyTorch {@code state_dict}. Widths
 * and checksums are found out.
 */
@PublicEvolving
public final class PartsImporter {

    private static final String ENCODER = "encoder.onnx";
    private static final String HEAD = "head.onnx";

    /**
     * A manifest.
     *
     * @param content its content: name, encoder, head, layers
     * @param file the file to name in messages
     * @param folder the folder that holds the parts
     */
    public record Manifest(JsonNode content, Path file, Path folder) {}

    /**
     * What an import made.
     *
     * @param unusedTensors the tensors of the state dicts that no part uses
     */
    public record Result(Bundle bundle, List<String> unusedTensors) {}

    private PartsImporter() {}

    /**
     * Writes a bundle. If the import fails, no files are left behind.
     *
     * @param output the directory of the bundle, which must be empty or not exist
     * @param check looks at the complete bundle before it appears
     * @throws BundleException if the manifest or a part is wrong; the message names the file, the
     *     field, what was found and what is expected
     */
    public static Result importBundle(Manifest manifest, Path output, BundleWriter.Inspection check)
            throws IOException {
        ManifestNode root = new ManifestNode(manifest.file, "", manifest.content);
        root.object("name", "encoder", "head", "layers");
        try (PartReader reader = new PartReader(manifest.folder);
                BundleWriter writer = new BundleWriter(output)) {
            String name =
                    root.field("name").isPresent()
                            ? root.field("name").text()
                            : output.toAbsolutePath().normalize().getFileName().toString();
            Part encoder = optional(root.field("encoder"), reader);
            Part head = optional(root.field("head"), reader);
            List<LayerManifest> layers = new ArrayList<>();
            for (ManifestNode layer : root.required("layers").items()) {
                layers.add(new LayerManifest(layer, layers.size(), reader));
            }
            if (layers.isEmpty()) {
                throw root.field("layers").wrong("at least one layer");
            }
            int first = encoder == null ? layers.get(0).inputWidth() : encoder.outputWidth();
            if (first < 0) {
                throw root.field("layers")
                        .wrong("an encoder, or a part of layers[0] without a slice");
            }
            List<LayerSpec> specs = new ArrayList<>();
            for (LayerManifest layer : layers) {
                int width = specs.isEmpty() ? first : specs.get(specs.size() - 1).outputSize();
                specs.add(layer.write(width, writer));
            }
            write(encoder, ENCODER, writer);
            write(head, HEAD, writer);
            int inputSize = encoder == null ? first : encoder.inputWidth();
            int last = specs.get(specs.size() - 1).outputSize();
            Bundle bundle =
                    writer.finish(
                            (version, checksums) ->
                                    new BundleSpec(
                                            BundleSpec.FORMAT_VERSION,
                                            name,
                                            version,
                                            inputSize,
                                            head == null ? last : head.outputWidth(),
                                            encoder == null ? null : ENCODER,
                                            head == null ? null : HEAD,
                                            specs,
                                            checksums),
                            check);
            return new Result(bundle, reader.unused());
        }
    }

    private static Part optional(ManifestNode node, PartReader reader) throws IOException {
        return node.isPresent() ? reader.read(node) : null;
    }

    private static void write(Part part, String file, BundleWriter writer) throws IOException {
        if (part != null) {
            part.write(writer, file);
        }
    }
}
