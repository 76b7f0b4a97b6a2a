package io.flinkmoe.model;

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
     * Writes a bundle named as its directory. Nothing is left behind if it fails.
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
        try (Checkpoint checkpoint = Checkpoint.open(checkpointDirectory);
                BundleWriter writer = new BundleWriter(output)) {
            MixtralLayout layout = layoutOf(checkpoint);
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
            for (int layer = 0; layer < layout.numLayers(); layer++) {
                layers.add(writeLayer(layout, layer, writer));
                LOG.info("Imported layer {} of {}", layer + 1, layout.numLayers());
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

    private static MixtralLayout layoutOf(Checkpoint checkpoint) throws CheckpointException {
        if (!checkpoint.text("model_type", "").equals(MixtralLayout.MODEL_TYPE)) {
            throw checkpoint.badConfig(
                    "model_type", "one of the known: " + MixtralLayout.MODEL_TYPE);
        }
        return new MixtralLayout(checkpoint);
    }

    private static LayerSpec writeLayer(MixtralLayout layout, int layer, BundleWriter writer)
            throws IOException {
        String folder = "layers/%d/".formatted(layer);
        byte[] norm = layout.norm(layer);
        String normFile = norm == null ? null : folder + "norm.onnx";
        if (norm != null) {
            writer.add(normFile, norm);
        }
        String router = folder + "router.onnx";
        writer.add(router, layout.router(layer));
        List<String> experts = new ArrayList<>();
        for (int e = 0; e < layout.routing().numExperts(); e++) {
            String expert = "%sexperts/%d.onnx".formatted(folder, e);
            writer.add(expert, layout.expert(layer, e));
            experts.add(expert);
        }
        return new LayerSpec(
                layout.routing(), normFile, router, ResidualKind.INPUT, experts, List.of());
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
                    "its %s is [batch, %d]; expected [batch, %d], hidden_size in config.json"
                            .formatted(kind, width, d));
        }
    }
}
