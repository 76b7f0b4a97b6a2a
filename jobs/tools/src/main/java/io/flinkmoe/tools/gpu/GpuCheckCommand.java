// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.gpu;

import ai.onnxruntime.OrtException;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.ModelTensors;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.tools.gpu.GpuShape.Precision;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * Checks whether experts run on this machine's GPU, how exact they are, and how fast. It does not
 * need Flink, so it also runs on a machine that has only a GPU driver.
 */
@Command(
        name = "gpu-check",
        description = {
            "Check and measure experts on this machine's NVIDIA GPU, without Flink.",
            "",
            "For each shape and precision, it opens as many experts as fit and compares their"
                    + " answers with those of the CPU in float32. It measures three speeds in tokens"
                    + " per second: the layer with its gather and weighted sum (layer), only the runs"
                    + " of ONNX Runtime (raw), and a model that only copies the same number of rows to"
                    + " the device and back (copy).",
            "The exit code is 1 if an answer differs by more than its precision allows."
        },
        footer = {
            "  moe gpu-check                          check the first GPU",
            "  moe gpu-check --device cpu --small     test the program without a GPU"
        })
@Internal
public final class GpuCheckCommand implements Callable<Integer> {

    private static final int COMPARED_ROWS = 16;

    private enum Kind {
        CPU,
        CUDA
    }

    @Spec private CommandSpec spec;

    @Option(
            names = "--device",
            paramLabel = "cuda|cpu",
            defaultValue = "cuda",
            description = "The device to check. Default: cuda.")
    private Kind kind;

    @Option(
            names = "--gpu",
            paramLabel = "N",
            defaultValue = "0",
            description = "The number of the GPU, from 0. Default: 0.")
    private int gpu;

    @Option(
            names = "--batch",
            paramLabel = "TOKENS",
            defaultValue = "1024",
            description = "The tokens per batch. Default: 1024.")
    private int tokens;

    @Option(
            names = "--seconds",
            paramLabel = "S",
            defaultValue = "3",
            description =
                    "The duration of each measurement in seconds, after a warm-up of a third of it."
                            + " Default: 3.")
    private double seconds;

    @Option(
            names = "--precision",
            split = ",",
            paramLabel = "fp32,fp16",
            defaultValue = "fp32,fp16",
            description = "The precision of weights and computation. Default: both.")
    private List<Precision> precisions;

    @Option(
            names = "--small",
            description = "Use small and fewer experts, for a test without a GPU.")
    private boolean small;

    /** Runs the check without Flink on the class path. */
    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

    private static CommandLine commandLine() {
        CommandLine commandLine = new CommandLine(new GpuCheckCommand());
        // As a subcommand of moe, it inherits this option.
        commandLine
                .getCommandSpec()
                .addOption(
                        OptionSpec.builder("-h", "--help")
                                .usageHelp(true)
                                .description("Show this help message and exit.")
                                .build());
        return commandLine
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler(
                        (failure, command, arguments) -> {
                            command.getErr().println("gpu-check: " + failure.getMessage());
                            return 1;
                        });
    }

    @Override
    public Integer call() throws IOException, OrtException {
        check(gpu >= 0, "--gpu is %d; allowed: 0 or more", gpu);
        check(tokens >= COMPARED_ROWS, "--batch is %d; allowed: 16 or more", tokens);
        check(seconds > 0, "--seconds is %s; allowed: more than 0", seconds);
        PrintWriter out = spec.commandLine().getOut();
        Device device = kind == Kind.CPU ? Device.CPU : Device.cuda(gpu, 0);
        out.printf(
                "Experts on %s, batches of %,d tokens, %s%n%n",
                device, tokens, kind == Kind.CPU ? "all cores" : "one thread");
        out.printf(
                "  %-18s %-5s %8s %8s %10s %12s %12s %6s %12s%n",
                "shape", "", "experts", "GB", "error", "layer/s", "raw/s", "of raw", "copy/s");
        out.flush();
        boolean exact = true;
        for (GpuShape full : List.of(GpuShape.LARGE, GpuShape.DEEPSEEK_V3)) {
            GpuShape shape = small ? full.small() : full;
            Path folder = Files.createTempDirectory("flink-moe-gpu-check-");
            try {
                exact &= check(shape, folder, device, out);
            } finally {
                delete(folder);
            }
        }
        out.println(
                exact
                        ? "\nAll answers are as exact as their precision allows."
                        : "\nFAILED: see above.");
        out.flush();
        return exact ? 0 : 1;
    }

    private boolean check(GpuShape shape, Path folder, Device device, PrintWriter out)
            throws IOException, OrtException {
        GpuShape few = new GpuShape(shape.name(), shape.d(), shape.h(), 4, 1);
        float[] expected;
        try (DeviceLayer reference = layer(few, Precision.FP32, folder, Device.CPU)) {
            expected = reference.answers(COMPARED_ROWS);
        }
        double copies = copies(shape, folder, device);
        boolean exact = true;
        for (Precision precision : precisions) {
            try (DeviceLayer layer = layer(shape, precision, folder, device)) {
                double error = error(expected, layer.answers(COMPARED_ROWS));
                boolean good = error <= precision.tolerance;
                exact &= good;
                float[] sums = new float[tokens * shape.d()];
                double whole = rate(() -> layer.forward(sums));
                double raw = rate(layer::runAll);
                out.printf(
                        Locale.ROOT,
                        "  %-18s %-5s %8s %8.2f %10.1e %12.0f %12.0f %5.0f%% %12.0f%s%n",
                        shape.name(),
                        precision.name().toLowerCase(Locale.ROOT),
                        layer.experts() + "/" + shape.numExperts(),
                        layer.experts() * shape.expertBytes(precision) / 1e9,
                        error,
                        whole,
                        raw,
                        100 * whole / raw,
                        copies,
                        good ? "" : "  FAILED; allowed: " + precision.tolerance);
                if (layer.limitReason() != null) {
                    out.println("    the device was full: " + layer.limitReason());
                }
                out.flush();
            }
        }
        return exact;
    }

    private DeviceLayer layer(GpuShape shape, Precision precision, Path folder, Device device)
            throws IOException {
        return new DeviceLayer(
                shape,
                DeviceLayer.write(shape, precision, folder),
                device,
                tokens,
                Runtime.getRuntime().availableProcessors());
    }

    /**
     * The tokens per second whose k rows are copied to the device and back, almost without
     * computation.
     */
    private double copies(GpuShape shape, Path folder, Device device)
            throws IOException, OrtException {
        Path file = folder.resolve("copy");
        byte[] negation =
                new OnnxGraph("copy")
                        .input("hidden", shape.d())
                        .output("output", shape.d())
                        .node("Neg", "output", List.of("hidden"))
                        .toBytes();
        Files.write(file, negation);
        DirectRows input = new DirectRows(tokens, shape.d());
        DirectRows output = new DirectRows(tokens, shape.d());
        try (OnnxModel model =
                OnnxModel.open(file, ModelTensors.of(shape.d(), shape.d()), 1, device)) {
            return rate(() -> model.run(input, output, tokens)) / shape.k();
        }
    }

    private static double error(float[] expected, float[] found) {
        double error = 0;
        double largest = 0;
        for (int i = 0; i < found.length; i++) {
            double difference = Math.abs((double) expected[i] - found[i]);
            // A NaN counts as an infinite error.
            error = Math.max(error, difference >= 0 ? difference : Double.POSITIVE_INFINITY);
            largest = Math.max(largest, Math.abs(expected[i]));
        }
        return error / largest;
    }

    private interface Pass {
        void run() throws OrtException;
    }

    /** The tokens per second of passes over a batch: the median of all passes in the given time. */
    private double rate(Pass pass) throws OrtException {
        long warm = System.nanoTime() + (long) (seconds / 3 * 1e9);
        do {
            pass.run();
        } while (System.nanoTime() < warm);
        List<Long> times = new ArrayList<>();
        long end = System.nanoTime() + (long) (seconds * 1e9);
        do {
            long start = System.nanoTime();
            pass.run();
            times.add(System.nanoTime() - start);
        } while (System.nanoTime() < end);
        long[] sorted = times.stream().mapToLong(Long::longValue).sorted().toArray();
        return tokens * 1e9 / sorted[sorted.length / 2];
    }

    private void check(boolean good, String message, Object... values) {
        if (!good) {
            throw new ParameterException(spec.commandLine(), message.formatted(values));
        }
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }
}
