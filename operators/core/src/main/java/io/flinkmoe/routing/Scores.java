// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import org.apache.flink.annotation.Internal;

/**
 * Scores out of router logits, for T tokens and N experts: computed in double with {@link
 * StrictMath} and rounded to float32 once, so that every machine gives the same bits.
 */
@Internal
public final class Scores {

    private Scores() {}

    /**
     * All scores of T tokens. A sparsemixer's depend on the choices; its experts are compared by
     * the softmax.
     *
     * @param logits [T, N]
     * @return [T, N]
     */
    public static float[] of(ScoringFunc function, float[] logits, int numExperts) {
        float[] scores = new float[logits.length];
        double[] exponentials = new double[numExperts];
        for (int from = 0; from < logits.length; from += numExperts) {
            write(function, logits, from, exponentials, scores, from);
        }
        return scores;
    }

    /**
     * Writes the scores of one token, whose logits begin at {@code from}, to {@code at} on.
     *
     * @param exponentials [N], overwritten
     */
    static void write(
            ScoringFunc function,
            float[] logits,
            int from,
            double[] exponentials,
            float[] scores,
            int at) {
        int numExperts = exponentials.length;
        if (function == ScoringFunc.IDENTITY) {
            System.arraycopy(logits, from, scores, at, numExperts);
            return;
        }
        if (function == ScoringFunc.SIGMOID) {
            for (int expert = 0; expert < numExperts; expert++) {
                scores[at + expert] = (float) sigmoid(logits[from + expert]);
            }
            return;
        }
        double max = max(logits, from, numExperts);
        double sum = 0;
        for (int expert = 0; expert < numExperts; expert++) {
            exponentials[expert] = StrictMath.exp(logits[from + expert] - max);
            sum += exponentials[expert];
        }
        for (int expert = 0; expert < numExperts; expert++) {
            scores[at + expert] = (float) (exponentials[expert] / sum);
        }
    }

    static double sigmoid(double logit) {
        return 1 / (1 + StrictMath.exp(-logit));
    }

    static double sumOfExponentials(float[] logits, int from, int numExperts, double max) {
        double sum = 0;
        for (int expert = 0; expert < numExperts; expert++) {
            sum += StrictMath.exp(logits[from + expert] - max);
        }
        return sum;
    }

    private static double max(float[] logits, int from, int numExperts) {
        float max = logits[from];
        for (int expert = 1; expert < numExperts; expert++) {
            max = Math.max(max, logits[from + expert]);
        }
        return max;
    }
}
