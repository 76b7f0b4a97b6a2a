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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Turns a checkpoint into a bundle: each MoE layer's router, experts and norm become ONNX files.
 */
public final class CheckpointImporter {
    private static final Logger LOG = LoggerFactory.getLogger(CheckpointImporter.class);

    private CheckpointImporter() {}

    /**
     * Writes a bundle of all MoE layers, named as its directory. Nothing is left behind if it
     * fails.
     *
     * @param checkpointDirectory config.json and safetensors files of a known {@code model_type}
     * @param encoder an ONNX file [batch, input size] → [batch, d], or null
     * @param head an ONNX file [batch, d] → [batch, output size], or null
     * @param output the bundle's directory, which must be empty or not exist
     * @throws CheckpointException if the checkpoint cannot be imported
     * @throws BundleException if encoder or head do not fit, or output is taken
     */
    public static Bundle importBundle(
            Path checkpointDirectory, Path encoder, Path head, Path output) throws IOException {
        return importBundle(checkpointDirectory, null, encoder, head, output);
    }

    /**
     * Writes a bundle of some MoE layers. Only their tensors need be there.
     *
     * @param chosen the layers in the order in which the bundle shall have them: 0 is the first MoE
     *     layer of the checkpoint, dense layers are not counted; null for all
     * @throws IllegalArgumentException if there is no such layer, or none is chosen
     */
    public static Bundle importBundle(
            Path checkpointDirectory, List<Integer> chosen, Path encoder, Path head, Path output)
            throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(checkpointDirectory);
                BundleWriter writer = new BundleWriter(output)) {
            requireUnquantized(checkpoint);
            CheckpointLayout layout = CheckpointLayout.of(checkpoint);
            List<String> names = choose(chosen, layout.layers(), checkpoint);
            int d = layout.hiddenSize();
            int inputSize = d;
            if (encoder != null) {
                OnnxShapes shapes = OnnxShapes.read(encoder);
                inputSize = openEnd(encoder, "input", shapes.inputWidth());
                requireHiddenSize(encoder, "output", shapes.outputWidth(), d);
                writer.copy("encoder.onnx", encoder);
            }
            int outputSize = d;
            if (head != null) {
                OnnxShapes shapes = OnnxShapes.read(head);
                requireHiddenSize(head, "input", shapes.inputWidth(), d);
                outputSize = openEnd(head, "output", shapes.outputWidth());
                writer.copy("head.onnx", head);
            }
            List<LayerSpec> layers = new ArrayList<>();
            for (String name : names) {
                RoutingConfig routing = routing(checkpoint, layout, name);
                layers.add(writeLayer(layout, name, routing, layers.size(), writer));
                LOG.info("Imported layer {} of {}, {}", layers.size(), names.size(), name);
            }
            int in = inputSize;
            int out = outputSize;
            return writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    BundleSpec.FORMAT_VERSION,
                                    output.toAbsolutePath().normalize().getFileName().toString(),
                                    version,
                                    in,
                                    d,
                                    out,
                                    encoder == null ? null : "encoder.onnx",
                                    head == null ? null : "head.onnx",
                                    layers,
                                    checksums));
        }
    }

    /** A quantised checkpoint has scales beside its tensors, which no layout reads. */
    private static void requireUnquantized(Checkpoint checkpoint) throws CheckpointException {
        if (checkpoint.config().has("quantization_config")) {
            throw checkpoint
                    .config()
                    .badConfig(
                            "quantization_config",
                            "none; convert the checkpoint to bfloat16 first");
        }
    }

    private static List<String> choose(
            List<Integer> chosen, List<String> all, Checkpoint checkpoint)
            throws CheckpointException {
        if (all.isEmpty()) {
            throw checkpoint.config().badConfig("it describes a model without MoE layers");
        }
        if (chosen == null) {
            return all;
        }
        if (chosen.isEmpty()) {
            throw new IllegalArgumentException(
                    "no layer is chosen; allowed: 0 to %d".formatted(all.size() - 1));
        }
        List<String> names = new ArrayList<>();
        for (int layer : chosen) {
            if (layer < 0 || layer >= all.size()) {
                throw new IllegalArgumentException(
                        "there is no layer %d; the checkpoint has the MoE layers 0 to %d, %s to %s"
                                .formatted(
                                        layer,
                                        all.size() - 1,
                                        all.get(0),
                                        all.get(all.size() - 1)));
            }
            names.add(all.get(layer));
        }
        return names;
    }

    private static RoutingConfig routing(
            Checkpoint checkpoint, CheckpointLayout layout, String name) throws IOException {
        try {
            return layout.routing(name);
        } catch (IllegalArgumentException e) {
            throw checkpoint.config().badConfig("the routing that it describes: " + e.getMessage());
        }
    }

    private static LayerSpec writeLayer(
            CheckpointLayout layout,
            String name,
            RoutingConfig routing,
            int index,
            BundleWriter writer)
            throws IOException {
        String folder = "layers/%d/".formatted(index);
        byte[] norm = layout.norm(name);
        String normFile = norm == null ? null : folder + "norm.onnx";
        if (norm != null) {
            writer.add(normFile, norm);
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

    private static int openEnd(Path file, String kind, int width) throws BundleException {
        if (width == OnnxShapes.UNKNOWN) {
            throw new BundleException(
                    file,
                    "the width of its %s is left open; export it with a fixed one".formatted(kind));
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
