// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import io.flinkmoe.routing.LogitMatrix;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * BASE layers in training (arXiv 2103.16716): T tokens go to N experts, exactly T/N to each, so
 * that the sum of the affinities is nearly the largest. This is the auction of fairseq's
 * balanced_assignment.cpp (after Bertsekas): experts bid for tokens.
 *
 * <pre>
 *   epsilon = max((max - min) / 50, 1e-4),  cost = 0                                [T]
 *   each round, value = score - cost; what an expert won in the last round counts as max
 *     each expert bids for its T/N most valuable tokens: value - (its (T/N+1)-th value) + epsilon,
 *       but only epsilon for what it won in the last round
 *     each token goes to the highest bid (equal ones: the lowest expert), which raises its cost
 *   until every token is among those of an expert
 *   from the 100th round on an expert does not keep what it won, so that the auction ends
 * </pre>
 *
 * The original ends as soon as every token has a bid, even one of an earlier round. Where many
 * values are the maximum, it then gives one token to two experts and another to none. In all other
 * cases the result is the same.
 *
 * <p>Computed in float32, with equal values in the order of the original's {@code torch.topk}: the
 * result depends on both. It may fall short of the largest sum by T * epsilon; {@link
 * OptimalAssignment} does not. At inference BASE takes the best expert: see the preset {@code
 * base}.
 */
@Internal
public final class BalancedAssignment {

    private static final float SMALLEST_EPSILON = 1e-4f;
    private static final int ROUNDS_THAT_HOLD = 100;
    private static final int MOST_ROUNDS = 10_000;

    private BalancedAssignment() {}

    /**
     * Assigns by auction.
     *
     * @param scores [T, N], affinities; NaN and infinite ones are taken as the smallest finite one
     * @return [T], the tokens of expert 0 in the order of their value to it, then those of expert
     *     1, and so on (fairseq's {@code sort_by_expert})
     * @throws IllegalArgumentException if T is 0 or N does not divide it, or no score is finite
     * @throws ArithmeticException if the auction does not end, when scores are so large that
     *     epsilon is lost in them
     */
    public static int[] auction(float[] scores, int numExperts) {
        LogitMatrix byToken = LogitMatrix.of(finite(scores), numExperts);
        int tokens = byToken.tokens();
        int perExpert = tokensPerExpert(tokens, numExperts);
        int[] sortByExpert = new int[tokens];
        if (numExperts == 1) {
            Arrays.setAll(sortByExpert, token -> token);
            return sortByExpert;
        }
        float[] byExpert = new float[scores.length];
        float min = Float.POSITIVE_INFINITY;
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < byExpert.length; i++) {
            byExpert[i] = byToken.at(i % tokens, i / tokens);
            min = Math.min(min, byExpert[i]);
            max = Math.max(max, byExpert[i]);
        }
        float epsilon = Math.max((max - min) / 50, SMALLEST_EPSILON);
        float[] value = byExpert.clone();
        float[] cost = new float[tokens];
        int[] winner = new int[tokens];
        Arrays.fill(winner, -1);
        for (int round = 0; round < MOST_ROUNDS; round++) {
            float[] bids = new float[byExpert.length];
            for (int expert = 0; expert < numExperts; expert++) {
                int from = expert * tokens;
                int[] best = TorchTopK.indices(value, from, tokens, perExpert + 1);
                float next = value[from + best[perExpert]];
                for (int i = 0; i < perExpert; i++) {
                    bids[from + best[i]] = value[from + best[i]] - next + epsilon;
                    sortByExpert[expert * perExpert + i] = best[i];
                }
            }
            if (Arrays.stream(sortByExpert).distinct().count() == tokens) {
                return sortByExpert;
            }
            boolean holds = round < ROUNDS_THAT_HOLD;
            if (holds) {
                bidForWhatWasWon(bids, winner, epsilon);
            }
            award(bids, winner, cost);
            for (int i = 0; i < value.length; i++) {
                boolean won = winner[i % tokens] == i / tokens;
                float ofWon = holds ? max : byExpert[i];
                value[i] = won ? ofWon : byExpert[i] - cost[i % tokens];
            }
        }
        throw new ArithmeticException(
                "the auction of %d tokens over %d experts has not ended after %d rounds"
                        .formatted(tokens, numExperts, MOST_ROUNDS));
    }

    /**
     * The expert of each token.
     *
     * @param sortByExpert [T], as {@link #auction} gives it
     * @return [T]
     */
    public static int[] expertOfToken(int[] sortByExpert, int numExperts) {
        int perExpert = tokensPerExpert(sortByExpert.length, numExperts);
        int[] experts = new int[sortByExpert.length];
        for (int i = 0; i < experts.length; i++) {
            experts[sortByExpert[i]] = i / perExpert;
        }
        return experts;
    }

    /**
     * The sum of the affinities of an assignment.
     *
     * @param scores [T, N]
     * @param expertOfToken [T]
     */
    public static double value(float[] scores, int numExperts, int[] expertOfToken) {
        double sum = 0;
        for (int token = 0; token < expertOfToken.length; token++) {
            sum += scores[token * numExperts + expertOfToken[token]];
        }
        return sum;
    }

    static int tokensPerExpert(int tokens, int numExperts) {
        if (tokens == 0 || tokens % numExperts != 0) {
            throw new IllegalArgumentException(
                    "a balanced assignment of %d tokens; allowed: multiples of num_experts, %d"
                            .formatted(tokens, numExperts));
        }
        return tokens / numExperts;
    }

    /** The scores, with the smallest finite one for those that are not finite. */
    static float[] finite(float[] scores) {
        float min = Float.POSITIVE_INFINITY;
        for (float score : scores) {
            min = Float.isFinite(score) ? Math.min(min, score) : min;
        }
        if (scores.length > 0 && min == Float.POSITIVE_INFINITY) {
            throw new IllegalArgumentException("no score is finite; allowed: at least one");
        }
        float[] finite = scores.clone();
        for (int i = 0; i < finite.length; i++) {
            finite[i] = Float.isFinite(finite[i]) ? finite[i] : min;
        }
        return finite;
    }

    /** Puts a bid of epsilon on what was won before: it is kept if no other expert wants it. */
    private static void bidForWhatWasWon(float[] bids, int[] winner, float epsilon) {
        for (int token = 0; token < winner.length; token++) {
            if (winner[token] >= 0) {
                bids[winner[token] * winner.length + token] = epsilon;
            }
        }
    }

    /** Gives each token to its highest bid, and raises its cost by it. */
    private static void award(float[] bids, int[] winner, float[] cost) {
        int tokens = winner.length;
        for (int token = 0; token < tokens; token++) {
            winner[token] = -1;
            float highest = 0;
            for (int i = token; i < bids.length; i += tokens) {
                if (bids[i] > highest) {
                    highest = bids[i];
                    winner[token] = i / tokens;
                }
            }
            cost[token] += highest;
        }
    }
}
