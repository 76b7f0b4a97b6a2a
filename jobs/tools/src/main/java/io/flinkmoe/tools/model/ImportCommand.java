// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Converts a Hugging Face checkpoint to a bundle. */
@Command(
        name = "import",
        description = "Convert a Hugging Face checkpoint to a model bundle.",
        footer = {
            "  moe import --checkpoint mixtral --output model",
            "  moe import --checkpoint qwen3-moe --layers 0,2-5 --output model",
            "  moe import --checkpoint checkpoint --encoder encoder.onnx --head head.onnx \\",
            "             --output model"
        })
@Internal
public final class ImportCommand implements Callable<Integer> {

    private static final Pattern RANGE = Pattern.compile("(\\d{1,4})(?:-(\\d{1,4}))?");

    @Spec private CommandSpec spec;

    @Option(
            names = "--checkpoint",
            required = true,
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
            names = "--encoder",
            paramLabel = "FILE",
            description = "An ONNX model from a token's values to the first layer's input.")
    private Path encoder;

    @Option(
            names = "--head",
            paramLabel = "FILE",
            description = "An ONNX model from the last layer's output to the answer.")
    private Path head;

    @Option(
            names = "--output",
            required = true,
            paramLabel = "BUNDLE",
            description = "The folder for the bundle; it must not exist yet.")
    private Path output;

    @Override
    public Integer call() throws Exception {
        Bundle bundle =
                CheckpointImporter.importBundle(checkpoint, chosenLayers(), encoder, head, output);
        OpenedBundle.printImported(bundle, spec.commandLine().getOut());
        return 0;
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
