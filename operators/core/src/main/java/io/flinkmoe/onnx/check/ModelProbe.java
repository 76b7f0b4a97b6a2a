// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.check;

import ai.onnxruntime.OrtException;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.OpenedModels.Bits;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a model on probe rows before a job runs it. The shape of its output can differ from what the
 * file declares: skl2onnx says [batch, 1] of a forest with three targets. And a row can get other
 * bits in other batches: ONNX Runtime computes the linear models of scikit-learn in another order
 * for one row than for several.
 */
@Internal
final class ModelProbe {

    private static final Logger LOG = LoggerFactory.getLogger(ModelProbe.class);

    /** Not one, so that rows and columns cannot be confused. */
    private static final int SHAPE_ROWS = 2;

    private static final int ROWS = 257;
    private static final int MOST_VALUES = 1 << 24;

    /** The sizes of the batches that are compared with the batch of all rows. */
    private static final int[] SIZES = {1, 2, 3, 16, 64};

    /** Of a larger model, four batches of each size are compared, else all. */
    private static final long SMALL_FILE = 1 << 20;

    /** A difference of this share of the largest value is more than rounding. */
    private static final double ROUNDING = 1e-3;

    /** Values that a model may accept: numbers of any kind, or only categories such as 0 and 1. */
    private static final List<IntToDoubleFunction> VALUES =
            List.of(gaussian(), i -> i * 31 % 7 % 2, i -> 0);

    /**
     * What the probe rows show.
     *
     * @param bits whether the bits of a row depend on its batch
     * @param difference the largest difference between two batches
     * @param outputs [rows, width], the outputs of the probe rows; empty if the model refuses them
     */
    record Finding(Bits bits, double difference, float[] outputs) {

        /** Whether every row is at least 0 and sums to 1. */
        boolean isProbabilities(int width) {
            for (int from = 0; from < outputs.length; from += width) {
                double sum = 0;
                for (int i = from; i < from + width; i++) {
                    if (!(outputs[i] >= 0)) {
                        return false;
                    }
                    sum += outputs[i];
                }
                if (Math.abs(sum - 1) > 1e-4) {
                    return false;
                }
            }
            return outputs.length > 0 && width > 1;
        }
    }

    private ModelProbe() {}

    private static IntToDoubleFunction gaussian() {
        float[] values = new float[1 << 12];
        Random random = new Random(0);
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        // An odd stride, so that rows of any width differ.
        return i -> values[(int) (i * 2_654_435_761L >>> 13 & values.length - 1)];
    }

    /**
     * Runs a model.
     *
     * @throws BundleException if its output has another shape than expected, or if a row's output
     *     depends on other rows by more than rounding
     */
    static Finding run(OnnxModel model) throws BundleException {
        int width = Math.max(model.inputWidth(), model.outputWidth());
        int rows = Math.max(SHAPE_ROWS, Math.min(ROWS, MOST_VALUES / width));
        OrtException refusal = null;
        for (IntToDoubleFunction values : VALUES) {
            float[] x = new float[rows * model.inputWidth()];
            for (int i = 0; i < x.length; i++) {
                x[i] = (float) values.applyAsDouble(i);
            }
            try {
                checkShape(model, x);
                return measure(model, x, rows);
            } catch (OrtException e) {
                refusal = e;
            }
        }
        // A model may refuse all of them. A call that fails is handled as moe.expert.on-error says.
        LOG.info("{} refuses the probe rows, so its bits were not checked", model.file(), refusal);
        return new Finding(Bits.UNCHECKED, Double.NaN, new float[0]);
    }

    private static void checkShape(OnnxModel model, float[] x)
            throws BundleException, OrtException {
        DirectRows input = new DirectRows(SHAPE_ROWS, model.inputWidth());
        input.put(x, 0, SHAPE_ROWS);
        long[] found = model.outputShape(input, SHAPE_ROWS);
        int width = model.outputWidth();
        boolean isVector = found.length == 1 && width == 1;
        if (found.length == 0 || found[0] != SHAPE_ROWS) {
            throw wrongShape(
                    model,
                    found,
                    "it must have a row for each of them; a model that mixes rows cannot be used,"
                            + " so export it again, or give each target a model of its own");
        }
        if (!isVector && (found.length != 2 || found[1] != width)) {
            throw wrongShape(
                    model,
                    found,
                    "expected [%d, %d], as the file or model.json says; export the model with the width that it has: model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = %d"
                            .formatted(SHAPE_ROWS, width, found.length == 2 ? found[1] : 1));
        }
    }

    private static BundleException wrongShape(OnnxModel model, long[] found, String expected) {
        return new BundleException(
                model.file(),
                "its output '%s' is %s for %d rows; %s"
                        .formatted(
                                model.outputName(), Arrays.toString(found), SHAPE_ROWS, expected));
    }

    private static Finding measure(OnnxModel model, float[] x, int rows)
            throws BundleException, OrtException {
        float[] together = RowBits.run(model, x, rows);
        double difference = 0;
        boolean differs = false;
        int[] worst = {0, 1};
        boolean isSmall = model.file().toFile().length() <= SMALL_FILE;
        for (int size : SIZES) {
            int last = rows - size;
            int step = isSmall ? size : Math.max(size, last / 3);
            for (int row = 0; row <= last; row += step) {
                RowBits.Difference found = RowBits.compare(model, x, together, row, size);
                if (found.differs() && !(found.largest() <= difference)) {
                    difference = found.largest();
                    worst = new int[] {row, size};
                }
                differs |= found.differs();
            }
        }
        double largest = 0;
        for (float value : together) {
            largest = Float.isFinite(value) ? Math.max(largest, Math.abs(value)) : largest;
        }
        if (!(difference <= ROUNDING * largest) && differs) {
            throw new BundleException(
                    model.file(),
                    "its output '%s' depends on the other rows of a call: row %d in a call of %d rows and in one of %d differs by %.3g, and the largest value is %.3g; a softmax or a normalization over the rows does that: export the model with dim=-1, and in evaluation mode (model.eval())"
                            .formatted(
                                    model.outputName(),
                                    worst[0],
                                    worst[1],
                                    rows,
                                    difference,
                                    largest));
        }
        return new Finding(differs ? Bits.ROUNDING : Bits.EXACT, difference, together);
    }
}
