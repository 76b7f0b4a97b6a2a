// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.OutputSpec;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.OnnxShapes;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Makes a bundle from a folder of parts, as a manifest describes it. A part is an ONNX file, of
 * which one input and one output are used, or linear layers of a PyTorch {@code state_dict}. Widths
 * and checksums are found out.
 */
@PublicEvolving
public final class PartsImporter {

    private static final String ENCODER = "encoder.onnx";
    private static final String HEAD = "head.onnx";

    /**
     * What an import made.
     *
     * @param unusedTensors the tensors of the state dicts that no part uses
     * @param sources by file of the bundle, the user's file from which it was made
     */
    public record Result(Bundle bundle, List<String> unusedTensors, Map<String, Path> sources) {}

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
        ManifestNode root = new ManifestNode(manifest, "", manifest.content());
        root.object("name", "inputs", "encoder", "head", "layers");
        try (PartReader reader = new PartReader(manifest.folder());
                BundleWriter writer = new BundleWriter(output)) {
            PartWriter parts = new PartWriter(writer);
            String name =
                    root.field("name").isPresent()
                            ? root.field("name").text()
                            : output.toAbsolutePath().normalize().getFileName().toString();
            InputsManifest columns = new InputsManifest(root);
            ManifestNode encoderNode = root.field("encoder");
            ManifestNode headNode = root.field("head");
            Part encoder = encoderNode.isPresent() ? reader.readEncoder(encoderNode) : null;
            Part head = headNode.isPresent() ? reader.readHead(headNode) : null;
            List<LayerManifest> layers = new ArrayList<>();
            for (ManifestNode layer : root.required("layers").items()) {
                layers.add(new LayerManifest(layer, layers.size(), reader));
            }
            if (layers.isEmpty()) {
                throw root.field("layers").wrong("at least one layer");
            }
            int first = firstWidth(encoder, layers.get(0), columns);
            if (first == OnnxShapes.UNKNOWN) {
                throw new BundleException(
                        manifest.file(),
                        "no part says the width of the input of layers[0]; set layers[0].input_size, or the width of the column that it reads in inputs");
            }
            List<LayerSpec> specs = new ArrayList<>();
            for (LayerManifest layer : layers) {
                int width = specs.isEmpty() ? first : specs.get(specs.size() - 1).outputSize();
                specs.add(layer.write(width, parts));
            }
            ModelFile encoderFile = parts.write(encoder, ENCODER);
            ModelFile headFile = parts.write(head, HEAD);
            List<InputSpec> inputs =
                    columns.inputs(
                            encoder,
                            encoder == null || encoder instanceof GraphPart
                                    ? first
                                    : encoder.inputWidth());
            List<OutputSpec> outputs = outputs(headNode, head, specs);
            try {
                Bundle bundle =
                        writer.finish(
                                (version, checksums) ->
                                        new BundleSpec(
                                                BundleSpec.FORMAT_VERSION,
                                                name,
                                                version,
                                                inputs,
                                                outputs,
                                                encoderFile,
                                                headFile,
                                                specs,
                                                checksums),
                                check);
                return new Result(bundle, reader.unused(), parts.sources());
            } catch (BundleException e) {
                throw parts.ofSource(e);
            } catch (IllegalArgumentException e) {
                throw root.invalid(e);
            }
        }
    }

    private static int firstWidth(Part encoder, LayerManifest layer, InputsManifest columns)
            throws BundleException {
        if (encoder != null && encoder.outputWidth() != OnnxShapes.UNKNOWN) {
            return encoder.outputWidth();
        }
        int width = layer.inputWidth();
        return width == OnnxShapes.UNKNOWN && encoder == null ? columns.vectorWidth() : width;
    }

    private static List<OutputSpec> outputs(ManifestNode node, Part head, List<LayerSpec> layers)
            throws BundleException {
        if (head instanceof GraphPart graph) {
            return new OutputsManifest(node).outputs(graph);
        }
        int last = layers.get(layers.size() - 1).outputSize();
        return head == null
                ? BundleSpec.outputsOf(layers, last)
                : OutputSpec.vector(head.outputWidth());
    }
}
