// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * Router logits z of T tokens over N experts, row-major, T ≥ 1: the input of the losses in {@code
 * routing.health} and of the assignments in {@code reference}. Computes in double with {@link
 * StrictMath}.
 */
@Internal
public record LogitMatrix(float[] values, int tokens, int numExperts) {

    /**
     * @param routerLogits [T, N]
     * @throws IllegalArgumentException if N &lt; 1, T &lt; 1, or the rows are not of N values
     */
    public static LogitMatrix of(float[] routerLogits, int numExperts) {
        if (numExperts < 1) {
            throw new IllegalArgumentException(
                    "num_experts is %d; allowed: 1 or more".formatted(numExperts));
        }
        if (routerLogits.length == 0 || routerLogits.length % numExperts != 0) {
            throw new IllegalArgumentException(
                    "router logits have %d values; allowed: T * num_experts, T ≥ 1, num_experts %d"
                            .formatted(routerLogits.length, numExperts));
        }
        return new LogitMatrix(routerLogits, routerLogits.length / numExperts, numExperts);
    }

    public float at(int token, int expert) {
        return values[token * numExperts + expert];
    }

    /** Writes softmax(z_t) of one token, [N]. */
    public void softmax(int token, double[] into) {
        double max = max(token);
        double sum = Scores.sumOfExponentials(values, token * numExperts, numExperts, max);
        for (int expert = 0; expert < numExperts; expert++) {
            into[expert] = StrictMath.exp(at(token, expert) - max) / sum;
        }
    }

    /** log(sum_e exp(z_te)) of one token. */
    public double logSumExp(int token) {
        double max = max(token);
        return max
                + StrictMath.log(
                        Scores.sumOfExponentials(values, token * numExperts, numExperts, max));
    }

    /**
     * k of topKIndices [T, k], after a check that all are expert ids; -1 stands for no choice.
     *
     * @throws IllegalArgumentException if it is not of T rows, or one is not an expert
     */
    public int choicesPerToken(int[] topKIndices) {
        if (topKIndices.length == 0 || topKIndices.length % tokens != 0) {
            throw new IllegalArgumentException(
                    "topKIndices have %d values; allowed: T * k, k ≥ 1, T %d"
                            .formatted(topKIndices.length, tokens));
        }
        checkExperts(topKIndices, numExperts);
        return topKIndices.length / tokens;
    }

    public static void checkExperts(int[] topKIndices, int numExperts) {
        int wrong =
                Arrays.stream(topKIndices)
                        .filter(expert -> expert < -1 || expert >= numExperts)
                        .findFirst()
                        .orElse(-1);
        if (wrong != -1) {
            throw new IllegalArgumentException(
                    "topKIndices name expert %d; allowed: 0 to %d, or -1 for none"
                            .formatted(wrong, numExperts - 1));
        }
    }

    private double max(int token) {
        float max = at(token, 0);
        for (int expert = 1; expert < numExperts; expert++) {
            max = Math.max(max, at(token, expert));
        }
        return max;
    }
}
