// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OrtException;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** An ONNX model opened as the operators open it, for tests of the graphs that we write. */
final class OpenGraph implements AutoCloseable {
    private final Path file;
    private final OnnxModel model;

    OpenGraph(byte[] onnx) throws IOException {
        file = Files.write(Files.createTempFile("graph", ".onnx"), onnx);
        OnnxShapes shapes = OnnxShapes.read(file);
        model = OnnxModel.open(file, shapes.inputWidth(), shapes.outputWidth());
    }

    /** The output [T, outputWidth] of rows [T, inputWidth]. */
    float[] run(float[] rows) throws OrtException {
        int t = rows.length / model.inputWidth();
        DirectRows input = new DirectRows(t, model.inputWidth());
        DirectRows output = new DirectRows(t, model.outputWidth());
        float[] out = new float[t * model.outputWidth()];
        input.put(rows, 0, t);
        model.run(input, output, t);
        output.get(out, 0, t);
        return out;
    }

    /** As {@link #run}, but fails if the bits of a row depend on the other rows of its batch. */
    float[] runInAnyBatch(float[] rows) throws OrtException {
        float[] all = run(rows);
        int t = rows.length / model.inputWidth();
        for (int size : new int[] {1, 2, 3, 5, 64, 65, 128}) {
            for (int from = 0; from + size <= t; from += size) {
                assertThat(run(slice(rows, from, size, model.inputWidth())))
                        .as("rows %d to %d of %d", from, from + size - 1, t)
                        .isEqualTo(slice(all, from, size, model.outputWidth()));
            }
        }
        return all;
    }

    private static float[] slice(float[] rows, int from, int count, int width) {
        return Arrays.copyOfRange(rows, from * width, (from + count) * width);
    }

    @Override
    public void close() throws IOException {
        model.close();
        Files.delete(file);
    }
}
