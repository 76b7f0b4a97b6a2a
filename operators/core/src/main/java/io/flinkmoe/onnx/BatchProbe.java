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
final class BatchProbe {

    private static final Logger LOG = LoggerFactory.getLogger(BatchProbe.class);
    private static final int ROWS = 64;
    private static final int[] ALONE = {0, 1, 31, 63};

    private BatchProbe() {}

    static void warnIfBatchMatters(OnnxModel model) {
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

    /**
     * The largest difference; empty if all bits are the same. It is NaN if a value is NaN in only
     * one of two batches. A value that is NaN in both is no difference.
     */
    private static OptionalDouble difference(OnnxModel model) throws OrtException {
        float[] x = new float[ROWS * model.inputWidth()];
        Random random = new Random(0);
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) random.nextGaussian();
        }
        float[] together = run(model, x, ROWS);
        OptionalDouble difference = OptionalDouble.empty();
        for (int row : ALONE) {
            int from = row * model.inputWidth();
            float[] alone = run(model, Arrays.copyOfRange(x, from, from + model.inputWidth()), 1);
            for (int i = 0; i < alone.length; i++) {
                float among = together[row * alone.length + i];
                if (Float.floatToIntBits(alone[i]) != Float.floatToIntBits(among)) {
                    float found = Math.abs(alone[i] - among);
                    difference = OptionalDouble.of(Math.max(difference.orElse(0), found));
                }
            }
        }
        return difference;
    }

    private static float[] run(OnnxModel model, float[] x, int rows) throws OrtException {
        DirectRows input = new DirectRows(rows, model.inputWidth());
        DirectRows output = new DirectRows(rows, model.outputWidth());
        float[] y = new float[rows * model.outputWidth()];
        input.put(x, 0, rows);
        model.run(input, output, rows);
        output.get(y, 0, rows);
        return y;
    }
}
