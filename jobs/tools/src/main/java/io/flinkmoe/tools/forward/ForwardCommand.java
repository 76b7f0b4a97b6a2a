// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.forward;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputRows;
import io.flinkmoe.config.Draws;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.reference.GateResult;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
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
            "The input file is a safetensors file with a tensor [T, width], or [T] for one value a"
                    + " row, for each input of the model, or JSON lines: an object in each line"
                    + " with a key for each input. A model that takes a vector has the input x.",
            "",
            "The output file is a safetensors file with `out`, all float outputs [T, output size],"
                    + " and a tensor for each named output (`output.<name>` if the name is taken);"
                    + " or, if its name ends in .jsonl, JSON lines with the outputs. The safetensors"
                    + " file also has `logits` [T, N], and `experts`, `weights` and"
                    + " `outcomes` [T, k] in order of rank. A layer with several gates has"
                    + " `gates.<name>.logits`, `.experts` and `.weights` of each; its `experts` are"
                    + " their union, and its `weights` the sums. A rule has no logits. A model with"
                    + " several layers has `layers.<i>.logits` and so on instead. Outcomes: 0"
                    + " executed, 1 rerouted, 2 overflowed, 3 late, 4 failed, -2 no choice.",
            "",
            "For rules that read the stream, row i has the stream row-<i modulo 16>."
        },
        footer = {
            "  moe forward --bundle model --input in.safetensors --output out.safetensors",
            "  moe forward --bundle model --input in.jsonl --output out.jsonl",
            "  moe forward --bundle model --input in.safetensors --output out.safetensors \\",
            "              --engine flink --parallelism 4"
        })
@Internal
public final class ForwardCommand implements Callable<Integer> {

    /** The rejected tokens that are printed. */
    private static final int MOST_SHOWN = 10;

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
            description = "The tokens: a safetensors file, or JSON lines.")
    private Path input;

    @Option(
            names = "--output",
            required = true,
            paramLabel = "FILE",
            description = "The safetensors file to write, or FILE.jsonl for JSON lines.")
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
        ForwardOutput answers = new ForwardOutput(output, model.spec());
        answers.check();
        InputLayout inputs = model.spec().inputLayout();
        InputRows x = InputRows.of(inputs, new ForwardInput(input, inputs).read());
        int tokens = x.tokens(inputs);
        ReferenceModel.Result result;
        if (engine == Engine.REFERENCE) {
            try (ReferenceModel reference = ReferenceModel.open(model)) {
                result = reference.forward(x, FlinkForward.metadata(tokens), Draws.NONE);
            }
        } else {
            result = new FlinkForward(model).run(x, tokens, parallelism == null ? 1 : parallelism);
        }
        int rejected = clearRejected(model.spec(), result);
        int absent = clearAbsent(model.spec(), result);
        answers.write(tokens, result);
        spec.commandLine()
                .getOut()
                .printf("Wrote the answers for %,d tokens to %s%n", tokens, output);
        if (rejected > 0) {
            printRejected(rejected, result.rejected());
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

    private void printRejected(int count, String[] reasons) {
        PrintWriter out = spec.commandLine().getOut();
        out.printf(
                "Rejected %,d tokens. Their rows of out and logits are NaN, and those of other"
                        + " outputs 0, false or null.%n",
                count);
        int shown = 0;
        for (int row = 0; row < reasons.length && shown < MOST_SHOWN; row++) {
            if (reasons[row] != null) {
                out.printf("  row %d: %s%n", row, reasons[row]);
                shown++;
            }
        }
        if (count > shown) {
            out.printf("  and %,d more%n", count - shown);
        }
    }

    /** A stream says nothing of a rejected token but that, so no engine does. */
    private static int clearRejected(BundleSpec spec, ReferenceModel.Result result) {
        int count = 0;
        for (int row = 0; row < result.rejected().length; row++) {
            if (result.rejected()[row] == null) {
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
    static int columns(LayerSpec spec, int gate) {
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
}
