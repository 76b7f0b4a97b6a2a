// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.check;

import ai.onnxruntime.OrtException;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/** Compares what a model answers to rows in calls of different sizes. */
@Internal
final class RowBits {

    private RowBits() {}

    /**
     * How the outputs of some rows differ from those in a larger batch. A value that is NaN in both
     * is no difference.
     *
     * @param differs whether any bit differs
     * @param largest the largest difference; NaN if a value is NaN in only one of the batches
     */
    record Difference(boolean differs, double largest) {}

    /**
     * Runs some rows of a batch alone.
     *
     * @param x [batch, input width]
     * @param together [batch, output width], the outputs of the batch
     * @param row the first row
     */
    static Difference compare(OnnxModel model, float[] x, float[] together, int row, int rows)
            throws OrtException {
        int from = row * model.inputWidth();
        float[] part = Arrays.copyOfRange(x, from, from + rows * model.inputWidth());
        float[] alone = run(model, part, rows);
        boolean differs = false;
        double largest = 0;
        for (int i = 0; i < alone.length; i++) {
            float among = together[row * model.outputWidth() + i];
            if (Float.floatToIntBits(alone[i]) != Float.floatToIntBits(among)) {
                differs = true;
                largest = Math.max(largest, Math.abs((double) alone[i] - among));
            }
        }
        return new Difference(differs, largest);
    }

    static float[] run(OnnxModel model, float[] x, int rows) throws OrtException {
        DirectRows input = new DirectRows(rows, model.inputWidth());
        DirectRows output = new DirectRows(rows, model.outputWidth());
        float[] y = new float[rows * model.outputWidth()];
        input.put(x, 0, rows);
        model.run(input, output, rows);
        output.get(y, 0, rows);
        return y;
    }
}
