// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.OnnxShapes;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes a bundle from a checkpoint: the router, the experts and the norm of each MoE layer become
 * ONNX files.
 */
@PublicEvolving
public final class CheckpointImporter {
    private static final Logger LOG = LoggerFactory.getLogger(CheckpointImporter.class);
    private static final String ENCODER = "encoder.onnx";
    private static final String HEAD = "head.onnx";

    private CheckpointImporter() {}

    /**
     * Writes a bundle of all MoE layers. Its name is the name of its directory. If the import
     * fails, no files are left behind.
     *
     * @param checkpointDirectory holds config.json and safetensors files; its {@code model_type}
     *     must be a supported one
     * @param encoder an ONNX file [batch, input size] → [batch, d], or null for none
     * @param head an ONNX file [batch, d] → [batch, output size], or null for none
     * @param output the directory of the bundle, which must be empty or not exist
     * @throws CheckpointException if the checkpoint cannot be imported
     * @throws BundleException if the encoder or head does not fit the checkpoint, or the output
     *     directory is not empty
     */
    public static Bundle importBundle(
            Path checkpointDirectory, Path encoder, Path head, Path output) throws IOException {
        return importBundle(checkpointDirectory, null, encoder, head, output);
    }

    /**
     * Writes a bundle of selected MoE layers. Only the tensors of these layers have to be there.
     *
     * @param selected the layers, in the order that they get in the bundle; null for all. 0 is the
     *     first MoE layer of the checkpoint; dense layers are not counted
     * @throws IllegalArgumentException if a layer does not exist, or none is selected
     */
    public static Bundle importBundle(
            Path checkpointDirectory, List<Integer> selected, Path encoder, Path head, Path output)
            throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(checkpointDirectory);
                BundleWriter writer = new BundleWriter(output)) {
            requireUnquantized(checkpoint.config());
            CheckpointLayout layout = ModelTypes.layoutOf(checkpoint);
            List<String> names = select(selected, layout);
            int d = layout.hiddenSize;
            int inputSize = encoder == null ? d : copyEncoder(encoder, d, writer);
            int outputSize = head == null ? d : copyHead(head, d, writer);
            List<LayerSpec> layers = new ArrayList<>();
            for (String name : names) {
                layers.add(writeLayer(layout, name, layers.size(), writer));
                LOG.info("Imported layer {} of {}: {}", layers.size(), names.size(), name);
            }
            return writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    BundleSpec.FORMAT_VERSION,
                                    output.toAbsolutePath().normalize().getFileName().toString(),
                                    version,
                                    inputSize,
                                    d,
                                    outputSize,
                                    encoder == null ? null : ENCODER,
                                    head == null ? null : HEAD,
                                    layers,
                                    checksums));
        }
    }

    /** The tensors of a quantized checkpoint come with scales, which no layout reads. */
    private static void requireUnquantized(CheckpointConfig config) throws CheckpointException {
        if (config.has("quantization_config")) {
            throw config.invalid(
                    "quantization_config",
                    "no quantization; convert the checkpoint to bfloat16 first");
        }
    }

    private static List<String> select(List<Integer> selected, CheckpointLayout layout)
            throws CheckpointException {
        List<String> all = layout.layers();
        if (all.isEmpty()) {
            throw layout.config.invalid(
                    "the model has no MoE layers; only MoE checkpoints can be imported");
        }
        if (selected == null) {
            return all;
        }
        int last = all.size() - 1;
        if (selected.isEmpty()) {
            throw new IllegalArgumentException(
                    "no layer is selected; expected one or more of 0 to %d".formatted(last));
        }
        List<String> names = new ArrayList<>();
        for (int layer : selected) {
            if (layer < 0 || layer > last) {
                throw new IllegalArgumentException(
                        "there is no layer %d; the checkpoint has the MoE layers 0 to %d (%s to %s)"
                                .formatted(layer, last, all.get(0), all.get(last)));
            }
            names.add(all.get(layer));
        }
        return names;
    }

    private static LayerSpec writeLayer(
            CheckpointLayout layout, String name, int index, BundleWriter writer)
            throws IOException {
        RoutingConfig routing = routing(layout, name);
        String folder = "layers/%d/".formatted(index);
        Optional<byte[]> norm = layout.norm(name);
        String normFile = norm.isPresent() ? folder + "norm.onnx" : null;
        if (norm.isPresent()) {
            writer.add(normFile, norm.get());
        }
        String router = folder + "router.onnx";
        writer.add(router, layout.router(name));
        List<String> experts = new ArrayList<>();
        for (int e = 0; e < routing.numExperts(); e++) {
            experts.add("%sexperts/%d.onnx".formatted(folder, e));
            writer.add(experts.get(e), layout.expert(name, e));
        }
        List<String> sharedExperts = new ArrayList<>();
        for (byte[] shared : layout.sharedExperts(name)) {
            String file = "%sshared/%d.onnx".formatted(folder, sharedExperts.size());
            writer.add(file, shared);
            sharedExperts.add(file);
        }
        return new LayerSpec(routing, normFile, router, ResidualKind.INPUT, experts, sharedExperts);
    }

    private static RoutingConfig routing(CheckpointLayout layout, String name) throws IOException {
        try {
            return layout.routing(name);
        } catch (IllegalArgumentException e) {
            throw layout.config.invalid(
                    "the routing of layer %s is invalid: %s".formatted(name, e.getMessage()));
        }
    }

    /** Copies the encoder and returns its input width. */
    private static int copyEncoder(Path encoder, int d, BundleWriter writer) throws IOException {
        OnnxShapes shapes = OnnxShapes.read(encoder);
        int inputSize = requireFixed(encoder, "input", shapes.inputWidth());
        requireHiddenSize(encoder, "output", shapes.outputWidth(), d);
        writer.copy(ENCODER, encoder);
        return inputSize;
    }

    /** Copies the head and returns its output width. */
    private static int copyHead(Path head, int d, BundleWriter writer) throws IOException {
        OnnxShapes shapes = OnnxShapes.read(head);
        requireHiddenSize(head, "input", shapes.inputWidth(), d);
        int outputSize = requireFixed(head, "output", shapes.outputWidth());
        writer.copy(HEAD, head);
        return outputSize;
    }

    private static int requireFixed(Path file, String kind, int width) throws BundleException {
        if (width == OnnxShapes.UNKNOWN) {
            throw new BundleException(
                    file,
                    "the width of its %s is not fixed; export the model with a fixed width"
                            .formatted(kind));
        }
        return width;
    }

    private static void requireHiddenSize(Path file, String kind, int width, int d)
            throws BundleException {
        if (width != OnnxShapes.UNKNOWN && width != d) {
            throw new BundleException(
                    file,
                    "its %s is [batch, %d]; expected [batch, %d], the checkpoint's hidden size"
                            .formatted(kind, width, d));
        }
    }
}
