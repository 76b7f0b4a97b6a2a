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
     * All scores of T tokens.
     *
     * @param logits [T, N]
     * @return [T, N]
     */
    public static float[] of(ScoringFunc function, float[] logits, int numExperts) {
        float[] scores = new float[logits.length];
        for (int from = 0; from < logits.length; from += numExperts) {
            write(function, logits, from, numExperts, scores, from);
        }
        return scores;
    }

    /** Writes the scores of one token, whose logits begin at {@code from}, to {@code at} on. */
    static void write(
            ScoringFunc function,
            float[] logits,
            int from,
            int numExperts,
            float[] scores,
            int at) {
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
        double sum = sumOfExponentials(logits, from, numExperts, max);
        for (int expert = 0; expert < numExperts; expert++) {
            scores[at + expert] = (float) (StrictMath.exp(logits[from + expert] - max) / sum);
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
