// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * What happens to the sum of a token before it is the layer's output. The combine chooses {@link
 * #NONE} or {@link Onnx} when it opens. Positions in arrays are those of the first value.
 */
@Internal
public interface PostNorm {

    /** The sum starts with what the token carries, and is the output. */
    PostNorm NONE =
            new PostNorm() {
                @Override
                public void startSum(byte[] carried, int from, int size, float[] sums, int at) {
                    startOutput(carried, from, size, sums, at);
                }

                @Override
                public void startOutput(byte[] carried, int from, int size, float[] sums, int at) {
                    Floats.get(carried, from, sums, at, size);
                }

                @Override
                public void apply(byte[] carried, int[] rows, Choices choices, float[] sums) {}
            };

    /**
     * Writes what a token's sum starts with.
     *
     * @param size the number of values that a token carries; where that is 0, {@code sums} has
     *     zeros
     */
    void startSum(byte[] carried, int from, int size, float[] sums, int at);

    /** Writes the output of a token none of whose choices counts. */
    void startOutput(byte[] carried, int from, int size, float[] sums, int at);

    /**
     * Turns sums into outputs.
     *
     * @param rows [R], the rows of the tokens in {@code carried} and {@code choices}
     * @param sums [R, width]
     */
    void apply(byte[] carried, int[] rows, Choices choices, float[] sums) throws OrtException;

    /** Returns the one of a layer. */
    static PostNorm of(BundleSessions sessions, int layer) throws BundleException {
        LayerSpec spec = sessions.spec().layers().get(layer);
        return spec.postNorm() == null ? NONE : new Onnx(spec, sessions.postNorm(layer));
    }

    /**
     * residual + post_norm(sum). The sum starts with that of the shared experts. Without shared
     * experts and executed choices there is nothing to normalize, and the residual passes
     * unchanged.
     */
    final class Onnx implements PostNorm {

        private static final int MAX_ROWS = 256;

        private final OnnxModel model;
        private final boolean hasResidual;
        private final boolean hasShared;
        private final int width;
        private final DirectRows input;
        private final DirectRows output;
        private final float[] residual;
        private final int[] normed = new int[MAX_ROWS];

        Onnx(LayerSpec layer, OnnxModel model) {
            this.model = model;
            this.hasResidual = layer.residual() == ResidualKind.INPUT;
            this.hasShared = !layer.sharedExperts().isEmpty();
            this.width = layer.outputSize();
            this.input = new DirectRows(MAX_ROWS, width);
            this.output = new DirectRows(MAX_ROWS, width);
            this.residual = new float[width];
        }

        @Override
        public void startSum(byte[] carried, int from, int size, float[] sums, int at) {
            if (hasShared) {
                Floats.get(carried, from + size - width, sums, at, width);
            } else {
                Arrays.fill(sums, at, at + width, 0);
            }
        }

        @Override
        public void startOutput(byte[] carried, int from, int size, float[] sums, int at) {
            if (hasResidual) {
                Floats.get(carried, from, sums, at, width);
            } else {
                Arrays.fill(sums, at, at + width, 0);
            }
        }

        @Override
        public void apply(byte[] carried, int[] rows, Choices choices, float[] sums)
                throws OrtException {
            int count = 0;
            for (int i = 0; i < rows.length; i++) {
                if (hasShared || choices.isAnyExecuted(rows[i])) {
                    input.put(sums, i, count, 1);
                    normed[count++] = i;
                } else {
                    Arrays.fill(sums, i * width, (i + 1) * width, 0);
                }
                if (count == MAX_ROWS || i == rows.length - 1) {
                    run(count, sums);
                    count = 0;
                }
            }
            for (int i = 0; i < rows.length && hasResidual; i++) {
                int size = hasShared ? 2 * width : width;
                Floats.get(carried, rows[i] * size, residual, 0, width);
                for (int column = 0; column < width; column++) {
                    residual[column] += sums[i * width + column];
                }
                System.arraycopy(residual, 0, sums, i * width, width);
            }
        }

        private void run(int count, float[] sums) throws OrtException {
            if (count == 0) {
                return;
            }
            model.run(input, output, count);
            for (int row = 0; row < count; row++) {
                output.get(row, sums, normed[row], 1);
            }
        }
    }
}
