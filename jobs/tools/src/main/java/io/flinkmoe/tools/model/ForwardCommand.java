// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.Draws;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.reference.GateResult;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.tensor.SafetensorsFile;
import io.flinkmoe.tensor.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** Runs tokens from a file through a bundle. */
@Command(
        name = "forward",
        description = {
            "Run tokens from a file through a model bundle.",
            "",
            "The input file contains a float tensor `x` [T, input size]. The output file contains"
                    + " `out` [T, output size], `logits` [T, N], and `experts`, `weights` and"
                    + " `outcomes` [T, k] in order of rank. A layer with several gates has"
                    + " `gates.<name>.logits`, `.experts` and `.weights` of each; its `experts` are"
                    + " their union, and its `weights` the sums. A rule has no logits. A model with"
                    + " several layers has `layers.<i>.logits` and so on instead. Outcomes: 0"
                    + " executed, 1 rerouted, 2 overflowed, 3 late, 4 failed, -2 no choice.",
            "",
            "For rules, row i has the stream row-<i modulo 16>."
        },
        footer = {
            "  moe forward --bundle model --input in.safetensors --output out.safetensors",
            "  moe forward --bundle model --input in.safetensors --output out.safetensors \\",
            "              --engine flink --parallelism 4"
        })
@Internal
public final class ForwardCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;

    @Option(
            names = "--bundle",
            required = true,
            paramLabel = "BUNDLE",
            description = "The bundle's folder, which contains model.json.")
    private Path bundle;

    @Option(
            names = "--input",
            required = true,
            paramLabel = "FILE",
            description = "A safetensors file with the tensor x.")
    private Path input;

    @Option(
            names = "--output",
            required = true,
            paramLabel = "FILE",
            description = "The safetensors file to write.")
    private Path output;

    @Option(
            names = "--engine",
            paramLabel = "ENGINE",
            defaultValue = "reference",
            converter = EngineConverter.class,
            description =
                    "reference: run without Flink (default). flink: run the stream operators on an"
                            + " embedded cluster.")
    private Engine engine;

    @Option(
            names = "--parallelism",
            paramLabel = "P",
            description = "The subtasks per operator, only with --engine flink. Default: 1.")
    private Integer parallelism;

    enum Engine {
        REFERENCE,
        FLINK
    }

    /** Like picocli's converter, but its error message shows the values in lower case. */
    static final class EngineConverter implements ITypeConverter<Engine> {
        @Override
        public Engine convert(String value) {
            return switch (value.toLowerCase(Locale.ROOT)) {
                case "reference" -> Engine.REFERENCE;
                case "flink" -> Engine.FLINK;
                default ->
                        throw new TypeConversionException(
                                "'%s'; allowed: reference or flink".formatted(value));
            };
        }
    }

    @Override
    public Integer call() throws Exception {
        if (parallelism != null && (engine == Engine.REFERENCE || parallelism < 1)) {
            throw new ParameterException(
                    spec.commandLine(),
                    engine == Engine.REFERENCE
                            ? "--parallelism requires --engine flink"
                            : "--parallelism is %d; allowed: 1 or more".formatted(parallelism));
        }
        Path folder = output.toAbsolutePath().getParent();
        if (!Files.isDirectory(folder)) {
            throw new IOException(
                    "--output is '%s'; there is no folder %s".formatted(output, folder));
        }
        Bundle model = Bundle.read(bundle);
        float[] x = readInput(model.spec().inputSize());
        int tokens = x.length / model.spec().inputSize();
        ReferenceModel.Result result;
        if (engine == Engine.REFERENCE) {
            try (ReferenceModel reference = ReferenceModel.open(model)) {
                result = reference.forward(x, FlinkForward.metadata(tokens), Draws.NONE);
            }
        } else {
            result = new FlinkForward(model).run(x, parallelism == null ? 1 : parallelism);
        }
        int rejected = clearRejected(model.spec(), result);
        int absent = clearAbsent(model.spec(), result);
        write(model, tokens, result);
        spec.commandLine()
                .getOut()
                .printf("Wrote the answers for %,d tokens to %s%n", tokens, output);
        if (rejected > 0) {
            spec.commandLine()
                    .getOut()
                    .printf(
                            "Rejected %,d tokens: the output of the encoder or the head is not"
                                    + " finite, or no rule of a gate matches. Their rows of out and"
                                    + " logits are NaN.%n",
                            rejected);
        }
        if (absent > 0) {
            spec.commandLine()
                    .getOut()
                    .printf(
                            "No output for %,d tokens: no expert executed a choice of them in a"
                                    + " layer without a residual. Their rows of out are NaN.%n",
                            absent);
        }
        spec.commandLine().getOut().flush();
        return 0;
    }

    private float[] readInput(int width) throws IOException {
        try (SafetensorsFile file = SafetensorsFile.open(input)) {
            long[] shape = file.shape("x");
            if (shape.length != 2 || shape[1] != width) {
                throw new IOException(
                        "%s: x is %s; the model takes [T, %d]"
                                .formatted(input, Arrays.toString(shape), width));
            }
            float[] x = file.floats("x");
            checkRows(x, width);
            return x;
        }
    }

    /** Rejects invalid tokens, as the operators do. The reference would propagate a NaN. */
    private void checkRows(float[] x, int width) throws IOException {
        for (int row = 0; row < x.length / width; row++) {
            float[] values = Arrays.copyOfRange(x, row * width, (row + 1) * width);
            Rejection reason = TokenCheck.reasonToReject(new Token("x", row, row, values), width);
            if (reason != null) {
                throw new IOException("%s: row %d of x: %s".formatted(input, row, reason));
            }
        }
    }

    /** A stream says nothing of a rejected token but that, so no engine does. */
    private static int clearRejected(BundleSpec spec, ReferenceModel.Result result) {
        int count = 0;
        for (int row = 0; row < result.rejected().length; row++) {
            if (!result.rejected()[row]) {
                continue;
            }
            count++;
            clearRow(result.out(), row, spec.outputSize(), Float.NaN);
            for (int i = 0; i < result.layers().size(); i++) {
                clearRejected(spec.layers().get(i), row, result.layers().get(i));
            }
        }
        return count;
    }

    private static void clearRejected(LayerSpec spec, int row, LayerResult layer) {
        int k = spec.choices();
        if (hasLogits(spec)) {
            clearRow(layer.logits(), row, spec.numExperts(), Float.NaN);
        }
        clearRow(layer.weights(), row, k, 0);
        Arrays.fill(layer.experts(), row * k, (row + 1) * k, -1);
        Arrays.fill(layer.outcomes(), row * k, (row + 1) * k, Outcome.FAILED.code());
        for (int gate = 0; gate < layer.gates().size(); gate++) {
            GateResult result = layer.gates().get(gate);
            int ranks = spec.gates().get(gate).k();
            clearRow(result.logits(), row, columns(spec, gate), Float.NaN);
            clearRow(result.weights(), row, ranks, 0);
            Arrays.fill(result.experts(), row * ranks, (row + 1) * ranks, -1);
        }
    }

    /** Whether the layer itself has logits: of its one gate, which has a router. */
    static boolean hasLogits(LayerSpec spec) {
        return spec.hasOneGate() && columns(spec, 0) > 0;
    }

    private static void clearRow(float[] values, int row, int width, float value) {
        Arrays.fill(values, row * width, (row + 1) * width, value);
    }

    /** The columns of a gate's logits. */
    private static int columns(LayerSpec spec, int gate) {
        RoutingConfig routing = spec.gates().get(gate).routing();
        return routing == null ? 0 : routing.numExperts();
    }

    private static int clearAbsent(BundleSpec spec, ReferenceModel.Result result) {
        int count = 0;
        for (int row = 0; row < result.absent().length; row++) {
            if (result.absent()[row]) {
                count++;
                clearRow(result.out(), row, spec.outputSize(), Float.NaN);
            }
        }
        return count;
    }

    private void write(Bundle model, int tokens, ReferenceModel.Result result) throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter();
        writer.add("out", new long[] {tokens, model.spec().outputSize()}, result.out());
        List<LayerResult> layers = result.layers();
        for (int i = 0; i < layers.size(); i++) {
            LayerResult layer = layers.get(i);
            String prefix = layers.size() == 1 ? "" : "layers.%d.".formatted(i);
            LayerSpec layerSpec = model.spec().layers().get(i);
            int k = layerSpec.choices();
            int[] outcomes = new int[layer.outcomes().length];
            for (int choice = 0; choice < outcomes.length; choice++) {
                outcomes[choice] = layer.outcomes()[choice];
            }
            if (hasLogits(layerSpec)) {
                long[] shape = {tokens, layerSpec.numExperts()};
                writer.add(prefix + "logits", shape, layer.logits());
            }
            writer.add(prefix + "experts", new long[] {tokens, k}, layer.experts())
                    .add(prefix + "weights", new long[] {tokens, k}, layer.weights())
                    .add(prefix + "outcomes", new long[] {tokens, k}, outcomes);
            for (int gate = 0; gate < layer.gates().size(); gate++) {
                String name = "%sgates.%s.".formatted(prefix, layerSpec.gateName(gate));
                addGate(writer, name, tokens, layerSpec, gate, layer.gates().get(gate));
            }
        }
        writer.writeTo(output);
    }

    private static void addGate(
            SafetensorsWriter writer,
            String prefix,
            int tokens,
            LayerSpec spec,
            int gate,
            GateResult result) {
        long[] ranks = {tokens, spec.gates().get(gate).k()};
        long[] columns = {tokens, columns(spec, gate)};
        writer.add(prefix + "experts", ranks, result.experts());
        writer.add(prefix + "weights", ranks, result.weights());
        if (columns[1] > 0) {
            writer.add(prefix + "logits", columns, result.logits());
        }
    }
}
