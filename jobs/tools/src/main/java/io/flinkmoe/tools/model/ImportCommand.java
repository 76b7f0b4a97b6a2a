// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.graph.WeightType;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.model.huggingface.ImportCheck;
import io.flinkmoe.model.huggingface.SupportedFamily;
import io.flinkmoe.model.parts.PartsImporter;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.onnx.check.ModelCheck;
import io.flinkmoe.scoring.cli.TextTable;
import io.flinkmoe.tools.text.Progress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** Makes a bundle from a Hugging Face checkpoint, or from parts. */
@Command(
        name = "import",
        description = {
            "Make a model bundle from a Hugging Face checkpoint, or from a folder of ONNX parts and"
                    + " PyTorch state dicts.",
            "Of a checkpoint only the MoE layers are imported: router, experts and the norm before them. Attention,"
                    + " dense layers and embeddings are not, so a bundle of several layers of a"
                    + " language model is not the language model."
        },
        footer = {
            "  moe import --checkpoint mixtral --output model",
            "  moe import --checkpoint qwen3-moe --layers 0,2-5 --output model",
            "  moe import --checkpoint deepseek-v3 --layers 0 --weights bfloat16 --output model",
            "  moe import --list",
            "  moe import --checkpoint checkpoint --encoder encoder.onnx --head head.onnx \\",
            "             --output model",
            "  moe import --parts folder-with-manifest --output model",
            "  moe import --parts folder --residual none --scoring-func softmax \\",
            "             --num-experts-per-tok 2 --norm-topk-prob true --output model",
            "  moe import --parts folder --state-dict model.safetensors --router router \\",
            "             --experts experts.{e}.0,experts.{e}.2 --activations relu,none \\",
            "             --residual none --scoring-func softmax --output model"
        })
@Internal
public final class ImportCommand implements Callable<Integer> {

    /** Smaller imports take less than a second or two. */
    private static final long SHOW_PROGRESS_BYTES = 100_000_000;

    private static final Pattern RANGE = Pattern.compile("(\\d{1,4})(?:-(\\d{1,4}))?");

    @Spec private CommandSpec spec;

    @Option(
            names = "--checkpoint",
            paramLabel = "DIR",
            description = "The folder with config.json and the safetensors files, sharded or not.")
    private Path checkpoint;

    @Option(
            names = "--layers",
            paramLabel = "LIST",
            description =
                    "The MoE layers to import, such as 0,2-5, in this order. 0 is the first MoE"
                            + " layer; dense layers are not counted. Default: all.")
    private String layers;

    @Option(
            names = "--weights",
            paramLabel = "TYPE",
            converter = WeightTypeConverter.class,
            description =
                    "How the matrices of the experts are stored: float32 (default), or bfloat16 or"
                            + " float16, which take half the space. They are computed with as"
                            + " float32.")
    private WeightType weights;

    @Option(
            names = "--list",
            description = "Print the model families that can be imported, and end.")
    private boolean list;

    @Option(
            names = "--encoder",
            paramLabel = "FILE",
            description = "An ONNX model from a token's values to the first layer's input.")
    private Path encoder;

    @Option(
            names = "--head",
            paramLabel = "FILE",
            description = "An ONNX model from the last layer's output to the answer.")
    private Path head;

    @Mixin private PartsOptions parts;

    @Option(
            names = "--output",
            paramLabel = "BUNDLE",
            description = "The folder for the bundle; it must be empty or not exist.")
    private Path output;

    @Override
    public Integer call() throws Exception {
        if (list) {
            printFamilies();
            return 0;
        }
        if (output == null) {
            throw new ParameterException(spec.commandLine(), "--output is missing; set it");
        }
        if ((checkpoint == null) == !parts.areUsed()) {
            throw new ParameterException(
                    spec.commandLine(),
                    checkpoint == null
                            ? "--checkpoint and --parts are missing; give one of them"
                            : "--checkpoint is set, but so are options of --parts; give one of them");
        }
        if (checkpoint == null) {
            importParts();
        } else {
            importCheckpoint();
        }
        return 0;
    }

    private void importParts() throws IOException {
        if (parts.folder == null) {
            throw new ParameterException(spec.commandLine(), "--parts is missing; set it");
        }
        for (Object of : new Object[] {layers, weights, encoder, head}) {
            if (of != null) {
                throw new ParameterException(
                        spec.commandLine(),
                        "--layers, --weights, --encoder and --head are for --checkpoint; with --parts, the manifest or the folder says which files to use");
            }
        }
        OnnxCheck check = new OnnxCheck();
        PartsImporter.Result result =
                PartsImporter.importBundle(parts.manifest(), output, check::checkBundle);
        if (!result.unusedTensors().isEmpty()) {
            spec.commandLine()
                    .getErr()
                    .printf(
                            "moe: warning: tensors of the state dict that no part uses: %s%n",
                            String.join(", ", result.unusedTensors()));
        }
        OpenedBundle.warn(check.result, result.sources(), spec.commandLine().getErr());
        OpenedBundle.print(result.bundle(), check.result, spec.commandLine().getOut());
    }

    private void importCheckpoint() throws IOException {
        Progress progress = new Progress(spec.commandLine().getErr(), System.console() != null);
        OnnxCheck check = new OnnxCheck();
        Bundle bundle =
                CheckpointImporter.importBundle(
                        checkpoint,
                        chosenLayers(),
                        weights == null ? WeightType.FLOAT32 : weights,
                        encoder,
                        head,
                        output,
                        (written, total) -> show(progress, written, total),
                        check);
        OpenedBundle.print(bundle, check.result, spec.commandLine().getOut());
    }

    /** Opens models with ONNX Runtime; a bundle that no job can use does not appear. */
    private static final class OnnxCheck implements ImportCheck {
        private ModelCheck.Result result;

        @Override
        public void checkModel(Path file, int inputWidth, int outputWidth) throws IOException {
            OnnxModel.open(file, inputWidth, outputWidth).close();
        }

        @Override
        public void checkBundle(Bundle bundle) throws IOException {
            result = ModelCheck.openAll(bundle, true);
        }
    }

    private void printFamilies() {
        TextTable table = new TextTable("model_type", "models", "import");
        for (SupportedFamily family : CheckpointImporter.families()) {
            boolean isRefused = !family.refused().isEmpty();
            table.row(
                    String.join(", ", family.modelTypes()),
                    family.models(),
                    isRefused
                            ? "no: " + family.refused()
                            : family.note().isEmpty() ? "yes" : "yes; " + family.note());
        }
        spec.commandLine().getOut().print(table);
        spec.commandLine().getOut().flush();
    }

    /** Shows the values in lower case, and says why some are not there. */
    static final class WeightTypeConverter implements ITypeConverter<WeightType> {
        @Override
        public WeightType convert(String value) {
            return switch (value.toLowerCase(Locale.ROOT)) {
                case "float32" -> WeightType.FLOAT32;
                case "float16" -> WeightType.FLOAT16;
                case "bfloat16" -> WeightType.BFLOAT16;
                case "int8", "int4" ->
                        throw new TypeConversionException(
                                "'%s' changes the answers by some percent, so this release does not store it; allowed: float32, float16 or bfloat16"
                                        .formatted(value));
                default ->
                        throw new TypeConversionException(
                                "'%s'; allowed: float32, float16 or bfloat16".formatted(value));
            };
        }
    }

    private static void show(Progress progress, long written, long total) {
        if (total < SHOW_PROGRESS_BYTES) {
            return;
        }
        String line = "wrote %,d of %,d MB".formatted(written / 1_000_000, total / 1_000_000);
        if (written < total) {
            progress.show(line);
        } else {
            progress.done(line + "; checking the bundle");
        }
    }

    /** The layers that the option lists, or null for all. */
    private List<Integer> chosenLayers() {
        if (layers == null) {
            return null;
        }
        List<Integer> chosen = new ArrayList<>();
        for (String item : layers.split(",", -1)) {
            Matcher range = RANGE.matcher(item);
            if (!range.matches()) {
                throw badLayers();
            }
            int first = Integer.parseInt(range.group(1));
            int last = range.group(2) == null ? first : Integer.parseInt(range.group(2));
            if (last < first) {
                throw badLayers();
            }
            IntStream.rangeClosed(first, last).forEach(chosen::add);
        }
        return chosen;
    }

    private ParameterException badLayers() {
        return new ParameterException(
                spec.commandLine(),
                "--layers is '%s'; allowed: numbers and ranges from low to high, such as 0,2-5"
                        .formatted(layers));
    }
}
