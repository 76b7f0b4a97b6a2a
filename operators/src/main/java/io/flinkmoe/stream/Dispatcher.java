package io.flinkmoe.stream;

import io.flinkmoe.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Splits a routed batch by expert: one {@link DispatchBlock} per expert that is asked, its rows in
 * the order of the batch. Not for several threads.
 */
final class Dispatcher {

    private final int k;
    private final int d;
    private final int[] rowsOfExpert;

    Dispatcher(int numExperts, int k, int d) {
        this.k = k;
        this.d = d;
        this.rowsOfExpert = new int[numExperts];
    }

    /**
     * @param hidden what the experts see, [T, d]
     * @param choices whose PENDING ones are dispatched
     * @param scores [T, k], what they score, if the experts are to order them; else null
     */
    List<DispatchBlock> split(
            long batch, TokenBlock tokens, byte[] hidden, Choices choices, float[] scores) {
        DispatchBlock[] blocks = allocate(batch, tokens.lane(), choices, scores != null);
        Arrays.fill(rowsOfExpert, 0);
        for (int choice = 0; choice < choices.experts().length; choice++) {
            if (choices.outcomes()[choice] == Choices.PENDING) {
                int expert = choices.experts()[choice];
                int row = rowsOfExpert[expert]++;
                DispatchBlock block = blocks[expert];
                block.choices()[row] = choice;
                block.timestamps()[row] = tokens.timestamps()[choice / k];
                Floats.copyRow(hidden, choice / k, block.vectors(), row, d);
                if (scores != null) {
                    int token = choice / k;
                    block.priorities()
                            .set(
                                    row,
                                    tokens.streams()[token],
                                    tokens.positions()[token],
                                    scores[token * k],
                                    scores[choice]);
                }
            }
        }
        List<DispatchBlock> asked = new ArrayList<>();
        for (DispatchBlock block : blocks) {
            if (block != null) {
                asked.add(block);
            }
        }
        return asked;
    }

    private DispatchBlock[] allocate(long batch, int lane, Choices choices, boolean prioritized) {
        Arrays.fill(rowsOfExpert, 0);
        for (int choice = 0; choice < choices.experts().length; choice++) {
            if (choices.outcomes()[choice] == Choices.PENDING) {
                rowsOfExpert[choices.experts()[choice]]++;
            }
        }
        DispatchBlock[] blocks = new DispatchBlock[rowsOfExpert.length];
        for (int expert = 0; expert < blocks.length; expert++) {
            int rows = rowsOfExpert[expert];
            if (rows > 0) {
                blocks[expert] =
                        new DispatchBlock(
                                expert,
                                lane,
                                batch,
                                new int[rows],
                                new long[rows],
                                prioritized ? Priorities.ofRows(rows) : Priorities.NONE,
                                new byte[rows * d * Float.BYTES]);
            }
        }
        return blocks;
    }
}
