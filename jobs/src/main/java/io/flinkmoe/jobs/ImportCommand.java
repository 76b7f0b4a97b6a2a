package io.flinkmoe.jobs;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.CheckpointImporter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Turns a Hugging Face style checkpoint into a bundle. */
@Command(
        name = "import",
        description = "Turn a Hugging Face style checkpoint into a model bundle.",
        footer = {
            "  moe import --checkpoint mixtral --output model",
            "  moe import --checkpoint checkpoint --encoder encoder.onnx --head head.onnx \\",
            "             --output model"
        })
final class ImportCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;

    @Option(
            names = "--checkpoint",
            required = true,
            paramLabel = "DIR",
            description = "The folder with config.json and the safetensors, sharded or not.")
    private Path checkpoint;

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
            description = "The folder to write the bundle to; it must not exist yet.")
    private Path output;

    @Override
    public Integer call() throws Exception {
        Bundle bundle = CheckpointImporter.importBundle(checkpoint, encoder, head, output);
        spec.commandLine().getOut().print(new BundleReport(bundle));
        spec.commandLine().getOut().flush();
        return 0;
    }
}
