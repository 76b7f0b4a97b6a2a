// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.capacity.Attempt;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Splits a routed batch by expert: one {@link DispatchBlock} per expert with pending choices, its
 * rows in the order of the batch. Not thread-safe.
 */
@Internal
public final class Dispatcher {

    private final int k;
    private final int d;
    private final int attempts;
    private final int[] rowsOfExpert;
    private final int[][] tokensOfExpert; // of the blocks that split is filling

    /**
     * @param numExperts N
     * @param k choices per token
     * @param d the width of a vector
     * @param attempts the maximum number of experts that a choice tries
     */
    public Dispatcher(int numExperts, int k, int d, int attempts) {
        this.k = k;
        this.d = d;
        this.attempts = attempts;
        this.rowsOfExpert = new int[numExperts];
        this.tokensOfExpert = new int[numExperts][];
    }

    /**
     * Returns the blocks for all experts with pending choices.
     *
     * @param hidden [T, d], the input of the experts; the blocks borrow it
     * @param choices the choices of the batch; those that are PENDING are dispatched
     * @param scores [T, K], the scores that order admission; empty if rows are admitted on arrival
     */
    public List<DispatchBlock> split(
            long batch, TokenBlock tokens, byte[] hidden, Choices choices, float[] scores) {
        DispatchBlock[] blocks = allocate(batch, tokens.lane(), hidden, choices, scores.length > 0);
        Arrays.fill(rowsOfExpert, 0);
        for (int choice = 0; choice < choices.outcomes().length; choice++) {
            if (choices.outcomes()[choice] == Choices.PENDING) {
                int expert = choices.experts()[choices.at(choice, 0)];
                int row = rowsOfExpert[expert]++;
                DispatchBlock block = blocks[expert];
                block.choices()[row] = choice;
                block.timestamps()[row] = tokens.timestamps()[choice / k];
                tokensOfExpert[expert][row] = choice / k;
                if (scores.length > 0) {
                    prioritize(block.priorities(), row, tokens, choices, choice, scores);
                }
            }
        }
        List<DispatchBlock> dispatched = new ArrayList<>();
        for (DispatchBlock block : blocks) {
            if (block != null) {
                dispatched.add(block);
            }
        }
        return dispatched;
    }

    private void prioritize(
            Priorities priorities,
            int row,
            TokenBlock tokens,
            Choices choices,
            int choice,
            float[] scores) {
        int token = choice / k;
        int ranks = choices.ranks();
        priorities.streams()[row] = tokens.streams()[token];
        priorities.positions()[row] = tokens.positions()[token];
        priorities.topScores()[row] = scores[token * ranks];
        priorities.scores()[row * attempts] = scores[choices.at(choice, 0)];
        for (int attempt = 1; attempt < attempts; attempt++) {
            boolean exists = Attempt.rank(choice, attempt, k) < ranks;
            int at = choices.at(choice, attempt);
            priorities.scores()[row * attempts + attempt] = exists ? scores[at] : 0;
            priorities.nextExperts()[row * (attempts - 1) + attempt - 1] =
                    exists ? choices.experts()[at] : -1;
        }
    }

    private DispatchBlock[] allocate(
            long batch, int lane, byte[] hidden, Choices choices, boolean prioritized) {
        Arrays.fill(rowsOfExpert, 0);
        for (int choice = 0; choice < choices.outcomes().length; choice++) {
            if (choices.outcomes()[choice] == Choices.PENDING) {
                rowsOfExpert[choices.experts()[choices.at(choice, 0)]]++;
            }
        }
        DispatchBlock[] blocks = new DispatchBlock[rowsOfExpert.length];
        for (int expert = 0; expert < blocks.length; expert++) {
            int rows = rowsOfExpert[expert];
            if (rows > 0) {
                tokensOfExpert[expert] = new int[rows];
                blocks[expert] =
                        new DispatchBlock(
                                expert,
                                lane,
                                batch,
                                0,
                                new int[rows],
                                new long[rows],
                                prioritized ? Priorities.ofRows(rows, attempts) : Priorities.NONE,
                                Vectors.borrow(hidden, tokensOfExpert[expert], d));
            }
        }
        return blocks;
    }
}
