// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.gpu;

import ai.onnxruntime.OrtException;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.ModelTensors;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.tools.gpu.GpuShape.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.flink.annotation.Internal;

/**
 * The experts of a layer, opened on a device: as many as fit its memory. Each expert has its own
 * session, and therefore its own weights on the device. The experts share a few files.
 */
@Internal
final class DeviceLayer implements AutoCloseable {

    /**
     * Enough for experts to differ. The 256 experts of DeepSeek-V3 would take 45 GB of disk space.
     */
    private static final int FILES = 4;

    private final GpuShape shape;
    private final List<OnnxModel> experts = new ArrayList<>();
    private final int tokens;
    private final float[] hidden;
    private final int[][] choicesOf;
    private final DirectRows input;
    private final DirectRows output;
    private String limitReason;

    /**
     * Writes the files of a layer's experts.
     *
     * @return the files, which the experts use in turn
     */
    static List<Path> write(GpuShape shape, Precision precision, Path folder) throws IOException {
        List<Path> files = new ArrayList<>();
        for (int file = 0; file < Math.min(FILES, shape.numExperts()); file++) {
            files.add(Files.write(folder.resolve("expert-" + file), shape.expert(file, precision)));
        }
        return files;
    }

    /**
     * @param files the files that {@link #write} returned
     * @param tokens the tokens per batch, T
     * @param threads the threads of a run on the CPU
     */
    DeviceLayer(GpuShape shape, List<Path> files, Device device, int tokens, int threads)
            throws IOException {
        this.shape = shape;
        this.tokens = tokens;
        this.hidden = GpuShape.random(-1, tokens * shape.d(), 3);
        this.input = new DirectRows(tokens, shape.d());
        this.output = new DirectRows(tokens, shape.d());
        try {
            open(files, device, threads);
        } catch (IOException e) {
            close();
            throw e;
        }
        this.choicesOf = route(experts.size());
    }

    private void open(List<Path> files, Device device, int threads) throws IOException {
        int d = shape.d();
        while (experts.size() < shape.numExperts()) {
            Path file = files.get(experts.size() % files.size());
            try {
                OnnxModel expert = OnnxModel.open(file, ModelTensors.of(d, d), threads, device);
                experts.add(expert);
                // The first run allocates buffers, and the weights must leave enough memory for
                // them.
                expert.run(input, output, tokens);
            } catch (BundleException | OrtException e) {
                if (device.isCpu() || experts.size() <= shape.k()) {
                    throw new IOException(
                            "expert %d of %d cannot be opened or run on %s: %s"
                                    .formatted(
                                            experts.size() + 1,
                                            shape.numExperts(),
                                            device,
                                            e.getMessage()),
                            e);
                }
                limitReason = e.getMessage();
                experts.remove(experts.size() - 1).close();
                return;
            }
        }
    }

    /**
     * Random choices of k different experts for each token. The result contains, by expert, token *
     * k + rank.
     */
    private int[][] route(int numExperts) {
        SplittableRandom random = new SplittableRandom(1);
        int[] counts = new int[numExperts];
        int[][] choices = new int[numExperts][tokens];
        for (int token = 0; token < tokens; token++) {
            boolean[] taken = new boolean[numExperts];
            for (int rank = 0; rank < shape.k(); rank++) {
                int expert = random.nextInt(numExperts);
                while (taken[expert]) {
                    expert = random.nextInt(numExperts);
                }
                taken[expert] = true;
                choices[expert][counts[expert]++] = token * shape.k() + rank;
            }
        }
        for (int expert = 0; expert < numExperts; expert++) {
            choices[expert] = Arrays.copyOf(choices[expert], counts[expert]);
        }
        return choices;
    }

    int experts() {
        return experts.size();
    }

    /** Why not all experts were opened, or null. */
    String limitReason() {
        return limitReason;
    }

    /**
     * The answers of the first experts to some rows, one expert after the other.
     *
     * @return [files, rows, d]
     */
    float[] answers(int rows) throws OrtException {
        int d = shape.d();
        int distinct = Math.min(FILES, experts.size());
        float[] answers = new float[distinct * rows * d];
        for (int expert = 0; expert < distinct; expert++) {
            input.put(hidden, 0, rows);
            experts.get(expert).run(input, output, rows);
            output.get(answers, expert * rows, rows);
        }
        return answers;
    }

    /** Runs the layer: a gather of rows per expert, the experts, and the weighted sum. */
    void forward(float[] sums) throws OrtException {
        int d = shape.d();
        float[] sum = new float[d];
        float[] outputs = new float[d];
        Arrays.fill(sums, 0);
        for (int expert = 0; expert < experts.size(); expert++) {
            int[] choices = choicesOf[expert];
            for (int row = 0; row < choices.length; row++) {
                input.put(hidden, choices[row] / shape.k(), row, 1);
            }
            run(expert);
            for (int row = 0; row < choices.length; row++) {
                output.get(row, outputs, 0, 1);
                int at = choices[row] / shape.k() * d;
                System.arraycopy(sums, at, sum, 0, d);
                Floats.addScaled(sum, 1f / shape.k(), outputs, d);
                System.arraycopy(sum, 0, sums, at, d);
            }
        }
    }

    /** Runs only the experts on the same rows, to measure ONNX Runtime alone. */
    void runAll() throws OrtException {
        for (int expert = 0; expert < experts.size(); expert++) {
            run(expert);
        }
    }

    private void run(int expert) throws OrtException {
        if (choicesOf[expert].length > 0) {
            experts.get(expert).run(input, output, choicesOf[expert].length);
        }
    }

    @Override
    public void close() {
        experts.forEach(OnnxModel::close);
        experts.clear();
    }
}
