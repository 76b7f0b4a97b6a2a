// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import io.flinkmoe.capacity.Attempt;
import io.flinkmoe.capacity.ChoiceRanks;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.TokenBlock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Splits the pending choices of a batch by expert: one {@link CandidateBlock} per expert, its rows
 * in the order of the batch. Not thread-safe.
 */
@Internal
final class CandidatesByExpert {

    private final int attempts;
    private final boolean withRanks;
    private final int[] rowsOfExpert;

    /**
     * @param numExperts N
     * @param attempts the maximum number of experts that a choice tries
     * @param withRanks whether the layer has several gates
     */
    CandidatesByExpert(int numExperts, int attempts, boolean withRanks) {
        this.attempts = attempts;
        this.withRanks = withRanks;
        this.rowsOfExpert = new int[numExperts];
    }

    /**
     * Returns the blocks for all experts with pending choices.
     *
     * @param choices the choices of the batch; those that are PENDING ask for their first expert
     * @param scores [T, K], the scores that order admission; empty if choices are decided on
     *     arrival
     * @param choiceRanks the ranks of the choices
     */
    List<CandidateBlock> split(
            long batch,
            TokenBlock tokens,
            Choices choices,
            float[] scores,
            ChoiceRanks choiceRanks) {
        CandidateBlock[] blocks = allocate(batch, tokens.lane(), choices, scores.length > 0);
        Arrays.fill(rowsOfExpert, 0);
        for (int choice = 0; choice < choices.outcomes().length; choice++) {
            if (choices.outcomes()[choice] == Choices.PENDING) {
                int expert = choices.expert(choice);
                int row = rowsOfExpert[expert]++;
                CandidateBlock block = blocks[expert];
                block.choices()[row] = choice;
                block.timestamps()[row] = tokens.timestamps()[choice / choices.k()];
                if (scores.length > 0) {
                    prioritize(block.priorities(), row, tokens, choices, choice, scores);
                    rank(block.priorities(), row, choices, choice, scores, choiceRanks);
                }
            }
        }
        List<CandidateBlock> candidates = new ArrayList<>();
        for (CandidateBlock block : blocks) {
            if (block != null) {
                candidates.add(block);
            }
        }
        return candidates;
    }

    private void prioritize(
            Priorities priorities,
            int row,
            TokenBlock tokens,
            Choices choices,
            int choice,
            float[] scores) {
        int token = choice / choices.k();
        int ranks = choices.ranks();
        priorities.streams()[row] = tokens.streams()[token];
        priorities.positions()[row] = tokens.positions()[token];
        priorities.scores()[row * attempts] = scores[choices.at(choice, 0)];
        for (int attempt = 1; attempt < attempts; attempt++) {
            boolean exists = Attempt.rank(choice, attempt, choices.k()) < ranks;
            int at = choices.at(choice, attempt);
            priorities.scores()[row * attempts + attempt] = exists ? scores[at] : 0;
            priorities.nextExperts()[row * (attempts - 1) + attempt - 1] =
                    exists ? choices.experts()[at] : -1;
        }
    }

    private void rank(
            Priorities priorities,
            int row,
            Choices choices,
            int choice,
            float[] scores,
            ChoiceRanks choiceRanks) {
        if (withRanks) {
            priorities.ranks()[row] = choiceRanks.of(choice, choices.k());
        }
        priorities.topScores()[row] =
                choiceRanks.topScore(scores, choice / choices.k(), choices.ranks());
    }

    private CandidateBlock[] allocate(long batch, int lane, Choices choices, boolean prioritized) {
        choices.countPending(rowsOfExpert);
        CandidateBlock[] blocks = new CandidateBlock[rowsOfExpert.length];
        for (int expert = 0; expert < blocks.length; expert++) {
            int rows = rowsOfExpert[expert];
            if (rows > 0) {
                blocks[expert] =
                        new CandidateBlock(
                                expert,
                                lane,
                                batch,
                                0,
                                new int[rows],
                                new long[rows],
                                prioritized
                                        ? Priorities.ofRows(rows, attempts, withRanks)
                                        : Priorities.NONE);
            }
        }
        return blocks;
    }
}
