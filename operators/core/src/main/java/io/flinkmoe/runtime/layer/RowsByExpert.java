// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.Slice;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Splits the pending choices of a batch by expert: one {@link ExpertRows} per expert, its rows in
 * the order of the batch, and of each row the columns that the expert reads. Not thread-safe.
 */
@Internal
public final class RowsByExpert {

    private final int inputSize;
    private final boolean weighsInput;
    private final int[] firstColumn; // of each expert
    private final int[] width; // likewise
    private final int[] rowsOfExpert;
    private final int[][] choicesOfExpert; // of the blocks that split is filling
    private final int[][] vectorsOfExpert; // likewise

    public RowsByExpert(LayerSpec layer) {
        int n = layer.numExperts();
        this.inputSize = layer.expertRowSize();
        this.weighsInput = layer.options().weighsInput();
        this.firstColumn = new int[n];
        this.width = new int[n];
        for (int expert = 0; expert < n; expert++) {
            Slice slice = layer.experts().get(expert).input();
            firstColumn[expert] = slice == null ? 0 : slice.from();
            width[expert] = layer.expertInput(expert);
        }
        this.rowsOfExpert = new int[n];
        this.choicesOfExpert = new int[n][];
        this.vectorsOfExpert = new int[n][];
    }

    /**
     * Returns the blocks for all experts with pending choices.
     *
     * @param lane the lane of the batch
     * @param batch the number under which the experts return the results
     * @param choices the choices of the T tokens of the batch; those that are PENDING are executed
     *     by the expert of their attempt
     * @param hidden [M, input size], what experts read; the blocks borrow it, unless the weights
     *     multiply it
     * @param rows [T], the row of each token in {@code hidden}
     */
    public List<ExpertRows> split(
            int lane, long batch, Choices choices, byte[] hidden, int[] rows) {
        allocate(choices);
        Arrays.fill(rowsOfExpert, 0);
        for (int choice = 0; choice < choices.outcomes().length; choice++) {
            if (choices.outcomes()[choice] == Choices.PENDING) {
                int expert = choices.expert(choice);
                int row = rowsOfExpert[expert]++;
                choicesOfExpert[expert][row] = choice;
                vectorsOfExpert[expert][row] = rows[choice / choices.k()];
            }
        }
        List<ExpertRows> blocks = new ArrayList<>();
        for (int expert = 0; expert < rowsOfExpert.length; expert++) {
            if (rowsOfExpert[expert] > 0) {
                Vectors vectors =
                        Vectors.borrowSlice(
                                hidden,
                                vectorsOfExpert[expert],
                                inputSize,
                                firstColumn[expert],
                                width[expert]);
                if (weighsInput) {
                    vectors = weighed(choices, choicesOfExpert[expert], vectors, width[expert]);
                }
                blocks.add(new ExpertRows(expert, lane, batch, choicesOfExpert[expert], vectors));
            }
        }
        return blocks;
    }

    /** Each vector times the weight of its choice. */
    private static Vectors weighed(Choices choices, int[] ofRows, Vectors vectors, int width) {
        byte[] bytes = new byte[ofRows.length * width * Float.BYTES];
        float[] row = new float[width];
        for (int i = 0; i < ofRows.length; i++) {
            vectors.get(i, row, width);
            float weight = choices.weights()[choices.at(ofRows[i], choices.attempts()[ofRows[i]])];
            Floats.scale(row, weight, width);
            Floats.put(row, 0, bytes, i * width, width);
        }
        return Vectors.of(bytes);
    }

    private void allocate(Choices choices) {
        choices.countPending(rowsOfExpert);
        for (int expert = 0; expert < rowsOfExpert.length; expert++) {
            if (rowsOfExpert[expert] > 0) {
                choicesOfExpert[expert] = new int[rowsOfExpert[expert]];
                vectorsOfExpert[expert] = new int[rowsOfExpert[expert]];
            }
        }
    }
}
