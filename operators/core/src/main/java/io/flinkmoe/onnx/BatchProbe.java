// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.OrtException;
import java.util.Arrays;
import java.util.OptionalDouble;
import java.util.Random;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checks, when a model is opened, whether a row gets the same bits alone as in a batch of 64.
 * Float32 models with constant weights do so on the CPU. With other models, results depend on how
 * tokens are batched, which is logged as a warning.
 */
@Internal
public final class BatchProbe {

    private static final Logger LOG = LoggerFactory.getLogger(BatchProbe.class);
    private static final int ROWS = 64;
    private static final int[] ALONE = {0, 1, 31, 63};

    private BatchProbe() {}

    public static void warnIfBatchMatters(OnnxModel model) {
        try {
            OptionalDouble difference = difference(model);
            if (difference.isPresent()) {
                LOG.warn(
                        "{}: outputs of a row alone and in a batch of {} differ by up to {}; results"
                                + " depend on how tokens are batched",
                        model.file(),
                        ROWS,
                        difference.getAsDouble());
            }
        } catch (OrtException e) {
            // The model does not accept arbitrary numbers (categories, for instance): no result.
            LOG.debug("{}: not checked for dependence on the batch", model.file(), e);
        }
    }

    private static OptionalDouble difference(OnnxModel model) throws OrtException {
        float[] x = new float[ROWS * model.inputWidth()];
        Random random = new Random(0);
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) random.nextGaussian();
        }
        float[] together = run(model, x, ROWS);
        OptionalDouble difference = OptionalDouble.empty();
        for (int row : ALONE) {
            Difference found = compare(model, x, together, row, 1);
            if (found.differs) {
                difference = OptionalDouble.of(Math.max(difference.orElse(0), found.largest));
            }
        }
        return difference;
    }

    /**
     * How the outputs of some rows differ from those in a larger batch. A value that is NaN in both
     * is no difference.
     *
     * @param differs whether any bit differs
     * @param largest the largest difference; NaN if a value is NaN in only one of the batches
     */
    public record Difference(boolean differs, double largest) {}

    /**
     * Runs some rows of a batch alone.
     *
     * @param x [batch, input width]
     * @param together [batch, output width], the outputs of the batch
     * @param row the first row
     */
    public static Difference compare(
            OnnxModel model, float[] x, float[] together, int row, int rows) throws OrtException {
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

    public static float[] run(OnnxModel model, float[] x, int rows) throws OrtException {
        DirectRows input = new DirectRows(rows, model.inputWidth());
        DirectRows output = new DirectRows(rows, model.outputWidth());
        float[] y = new float[rows * model.outputWidth()];
        input.put(x, 0, rows);
        model.run(input, output, rows);
        output.get(y, 0, rows);
        return y;
    }
}
