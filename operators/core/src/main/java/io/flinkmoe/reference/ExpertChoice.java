// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import io.flinkmoe.routing.LogitMatrix;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * Expert Choice (Zhou et al. 2022, arXiv 2202.09368): each of N experts takes the C of T tokens
 * with the best scores, so all loads are equal and a token gets 0 to N experts. Equal scores: the
 * lowest token index first. Not causal: which experts a token gets depends on all tokens of the
 * window.
 *
 * @param tokenIds [N, C], each expert's tokens, in descending order of score
 * @param weights [N, C], what the expert's outputs for these tokens are multiplied by
 * @param expertsPerToken [T], how many experts took the token
 */
@Internal
public record ExpertChoice(int[] tokenIds, float[] weights, int[] expertsPerToken) {

    /**
     * The paper and flaxformer's ExpertsChooseMaskedRouter: scores = softmax(z) over the experts of
     * a token; the weights are the scores.
     *
     * @param routerLogits [T, N]
     * @param capacity C, 1 to T
     * @throws IllegalArgumentException if T is 0, or C is not 1 to T
     */
    public static ExpertChoice overExperts(float[] routerLogits, int numExperts, int capacity) {
        LogitMatrix logits = LogitMatrix.of(routerLogits, numExperts);
        float[] scores = Scores.of(ScoringFunc.SOFTMAX, routerLogits, numExperts);
        return choose(logits, transposed(scores, numExperts), capacity, false);
    }

    /**
     * mesh-tensorflow's {@code _expert_selection_gating}: scores = softmax(z) over the tokens of an
     * expert; the weights are the scores divided by the number of experts that took the token.
     *
     * @param routerLogits [T, N]
     * @param capacity C, 1 to T
     * @throws IllegalArgumentException if T is 0, or C is not 1 to T
     */
    public static ExpertChoice overTokens(float[] routerLogits, int numExperts, int capacity) {
        LogitMatrix logits = LogitMatrix.of(routerLogits, numExperts);
        float[] columns = transposed(routerLogits, numExperts);
        float[] scores = Scores.of(ScoringFunc.SOFTMAX, columns, logits.tokens());
        return choose(logits, scores, capacity, true);
    }

    /** Chooses by scores [N, T]. */
    private static ExpertChoice choose(
            LogitMatrix logits, float[] scores, int capacity, boolean dividedByPickers) {
        int tokens = logits.tokens();
        if (capacity < 1 || capacity > tokens) {
            throw new IllegalArgumentException(
                    "capacity is %d; allowed: 1 to the %d tokens".formatted(capacity, tokens));
        }
        int[] ids = new int[logits.numExperts() * capacity];
        float[] weights = new float[ids.length];
        int[] pickers = new int[tokens];
        long[] order = new long[tokens];
        for (int expert = 0; expert < logits.numExperts(); expert++) {
            for (int token = 0; token < tokens; token++) {
                // Scores are not negative, so their bits are in their order; inverted, descending.
                long descending = ~Float.floatToIntBits(scores[expert * tokens + token]);
                order[token] = descending << 32 | token;
            }
            Arrays.sort(order);
            for (int i = 0; i < capacity; i++) {
                int token = (int) order[i];
                ids[expert * capacity + i] = token;
                weights[expert * capacity + i] = scores[expert * tokens + token];
                pickers[token]++;
            }
        }
        if (dividedByPickers) {
            for (int i = 0; i < ids.length; i++) {
                weights[i] /= pickers[ids[i]];
            }
        }
        return new ExpertChoice(ids, weights, pickers);
    }

    private static float[] transposed(float[] matrix, int columns) {
        int rows = matrix.length / columns;
        float[] transposed = new float[matrix.length];
        for (int i = 0; i < matrix.length; i++) {
            transposed[i % columns * rows + i / columns] = matrix[i];
        }
        return transposed;
    }
}
