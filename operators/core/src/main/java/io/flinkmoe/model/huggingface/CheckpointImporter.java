// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.OnnxShapes;
import io.flinkmoe.model.graph.WeightType;
import io.flinkmoe.model.huggingface.LayerStacks.MoeLayer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.apache.flink.annotation.PublicEvolving;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes a bundle from a checkpoint: the router, the experts and the norm of each MoE layer become
 * ONNX files. Attention and dense layers are not imported, so a bundle of several layers is not the
 * language model.
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

    /** The same for selected layers, without a report of the progress. */
    public static Bundle importBundle(
            Path checkpointDirectory, List<Integer> selected, Path encoder, Path head, Path output)
            throws IOException {
        return importBundle(
                checkpointDirectory, selected, encoder, head, output, (written, total) -> {});
    }

    /** The same with a report of the progress. */
    public static Bundle importBundle(
            Path checkpointDirectory,
            List<Integer> selected,
            Path encoder,
            Path head,
            Path output,
            ImportProgress progress)
            throws IOException {
        return importBundle(
                checkpointDirectory, selected, encoder, head, output, progress, ImportCheck.NONE);
    }

    /** The same with matrices of experts stored as float32. */
    public static Bundle importBundle(
            Path checkpointDirectory,
            List<Integer> selected,
            Path encoder,
            Path head,
            Path output,
            ImportProgress progress,
            ImportCheck check)
            throws IOException {
        return importBundle(
                checkpointDirectory,
                selected,
                WeightType.FLOAT32,
                encoder,
                head,
                output,
                progress,
                check);
    }

    /** The families that can be imported, for people. */
    public static List<SupportedFamily> families() {
        return SupportedFamily.all();
    }

    /**
     * Writes a bundle of selected MoE layers. Only the tensors of these layers have to be there.
     * First it checks that they are, and that there is enough space. Then it reads the matrices
     * while it writes them, so the memory that it needs does not depend on their size.
     *
     * @param selected the layers, in the order that they get in the bundle; null for all. 0 is the
     *     first MoE layer of the checkpoint; dense layers are not counted
     * @param weights how the matrices of the experts are stored
     * @param check is asked before the first layer is written, and before the bundle appears
     * @throws IllegalArgumentException if a layer does not exist, or none is selected
     */
    public static Bundle importBundle(
            Path checkpointDirectory,
            List<Integer> selected,
            WeightType weights,
            Path encoder,
            Path head,
            Path output,
            ImportProgress progress,
            ImportCheck check)
            throws IOException {
        Counter counter = new Counter(progress);
        try (Checkpoint checkpoint = Checkpoint.open(checkpointDirectory);
                BundleWriter writer = new BundleWriter(output, counter)) {
            Family family = Families.get().of(checkpoint.config());
            List<LayerFiles> files = layerFiles(checkpoint, family, selected, weights);
            int d = files.get(0).hiddenSize();
            int inputSize = encoder == null ? d : encoderInput(encoder, d);
            int outputSize = head == null ? d : headOutput(head, d);
            if (encoder != null) {
                check.checkModel(encoder, inputSize, d);
            }
            if (head != null) {
                check.checkModel(head, d, outputSize);
            }
            long size = 0;
            for (LayerFiles layer : files) {
                size += layer.size();
            }
            size += sizeOf(encoder) + sizeOf(head);
            writer.requireSpace(size);
            counter.start(size);
            if (encoder != null) {
                writer.add(ENCODER, BundleWriter.contentOf(encoder));
            }
            if (head != null) {
                writer.add(HEAD, BundleWriter.contentOf(head));
            }
            List<LayerSpec> layers = new ArrayList<>();
            for (LayerFiles layer : files) {
                layers.add(layer.write(writer));
                LOG.info(
                        "Imported layer {} of {}: {}",
                        layers.size(),
                        files.size(),
                        layer.layer().name());
            }
            return writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    BundleSpec.FORMAT_VERSION,
                                    output.toAbsolutePath().normalize().getFileName().toString(),
                                    version,
                                    inputSize,
                                    outputSize,
                                    encoder == null ? null : ModelFile.of(ENCODER),
                                    head == null ? null : ModelFile.of(HEAD),
                                    layers,
                                    checksums),
                    check::checkBundle);
        }
    }

    /** Adds up the bytes that are written. */
    private static final class Counter implements LongConsumer {
        private final ImportProgress progress;
        private long written;
        private long total;

        Counter(ImportProgress progress) {
            this.progress = progress;
        }

        void start(long bytes) {
            total = bytes;
            progress.report(0, total);
        }

        @Override
        public void accept(long bytes) {
            written += bytes;
            progress.report(written, total);
        }
    }

    private static List<LayerFiles> layerFiles(
            Checkpoint checkpoint, Family family, List<Integer> selected, WeightType weights)
            throws CheckpointException {
        List<MoeLayer> layers = new LayerStacks(checkpoint, family).layers();
        if (layers.isEmpty()) {
            throw checkpoint
                    .config()
                    .invalid("the model has no MoE layers; only MoE checkpoints can be imported");
        }
        List<LayerFiles> files = new ArrayList<>();
        for (MoeLayer layer : select(selected, layers)) {
            files.add(new LayerFiles(checkpoint, family, layer, files.size(), weights));
        }
        return files;
    }

    private static long sizeOf(Path file) throws IOException {
        return file == null ? 0 : BundleWriter.contentOf(file).size();
    }

    private static List<MoeLayer> select(List<Integer> selected, List<MoeLayer> all) {
        if (selected == null) {
            return all;
        }
        int last = all.size() - 1;
        if (selected.isEmpty()) {
            throw new IllegalArgumentException(
                    "no layer is selected; expected one or more of 0 to %d".formatted(last));
        }
        List<MoeLayer> layers = new ArrayList<>();
        for (int layer : selected) {
            if (layer < 0 || layer > last) {
                throw new IllegalArgumentException(
                        "there is no layer %d; the checkpoint has the MoE layers 0 to %d (%s to %s)"
                                .formatted(layer, last, all.get(0).name(), all.get(last).name()));
            }
            layers.add(all.get(layer));
        }
        return layers;
    }

    /** Checks the encoder and returns its input width. */
    private static int encoderInput(Path encoder, int d) throws IOException {
        OnnxShapes shapes = OnnxShapes.readPart(encoder, null, null);
        int inputSize = requireFixed(encoder, "input", shapes.inputWidth());
        requireHiddenSize(encoder, "output", shapes.outputWidth(), d);
        return inputSize;
    }

    /** Checks the head and returns its output width. */
    private static int headOutput(Path head, int d) throws IOException {
        OnnxShapes shapes = OnnxShapes.readPart(head, null, null);
        requireHiddenSize(head, "input", shapes.inputWidth(), d);
        return requireFixed(head, "output", shapes.outputWidth());
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
