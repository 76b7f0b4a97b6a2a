// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing.health;

import io.flinkmoe.routing.LogitMatrix;
import org.apache.flink.annotation.Internal;

/**
 * How much each of N experts counts in the weights of T tokens, and how unevenly: the squared
 * coefficient of variation, CV² = variance / mean², 0 when all count alike, N-1 when one counts
 * alone. The published definitions differ in the variance and in the term that keeps the division
 * defined; all are computed in double.
 */
@Internal
public final class Importance {

    private static final double EPSILON = 1e-10;

    private Importance() {}

    /**
     * Shazeer et al. 2017 (arXiv 1701.06538, eq. 6): the sum of each expert's weights.
     *
     * @param topKIndices [T, k]; -1 is no choice
     * @param topKWeights [T, k]
     * @return [N]
     */
    public static double[] of(int[] topKIndices, float[] topKWeights, int numExperts) {
        if (topKIndices.length != topKWeights.length) {
            throw new IllegalArgumentException(
                    "topKWeights have %d values; allowed: as many as topKIndices, which have %d"
                            .formatted(topKWeights.length, topKIndices.length));
        }
        LogitMatrix.checkExperts(topKIndices, numExperts);
        double[] importance = new double[numExperts];
        for (int i = 0; i < topKIndices.length; i++) {
            if (topKIndices[i] >= 0) {
                importance[topKIndices[i]] += topKWeights[i];
            }
        }
        return importance;
    }

    /**
     * The same from the matrix of gates, 0 where an expert is not chosen.
     *
     * @param gates [T, N]
     * @return [N]
     */
    public static double[] of(float[] gates, int numExperts) {
        LogitMatrix matrix = LogitMatrix.of(gates, numExperts);
        double[] importance = new double[numExperts];
        for (int token = 0; token < matrix.tokens(); token++) {
            for (int expert = 0; expert < numExperts; expert++) {
                importance[expert] += matrix.at(token, expert);
            }
        }
        return importance;
    }

    /**
     * CV² of an importance or a load as tensor2tensor has it: population variance / (mean² +
     * 1e-10).
     *
     * @param values [N], N ≥ 1
     */
    public static double cv2(double[] values) {
        double mean = mean(values);
        return squaredDeviations(values, mean) / values.length / (mean * mean + EPSILON);
    }

    /**
     * CV² as FastMoE, Tutel and common PyTorch ports have it: variance with n-1 / (mean² + 1e-10);
     * 0 for one expert.
     */
    public static double cv2Unbiased(double[] values) {
        double mean = mean(values);
        return values.length == 1
                ? 0
                : squaredDeviations(values, mean) / (values.length - 1) / (mean * mean + EPSILON);
    }

    /**
     * V-MoE's importance loss: population variance / mean² of the column sums of the probabilities.
     *
     * @param routerLogits [T, N]
     */
    public static double vmoeLoss(float[] routerLogits, int numExperts) {
        LogitMatrix logits = LogitMatrix.of(routerLogits, numExperts);
        double[] p = new double[numExperts];
        double[] importance = new double[numExperts];
        for (int token = 0; token < logits.tokens(); token++) {
            logits.softmax(token, p);
            for (int expert = 0; expert < numExperts; expert++) {
                importance[expert] += p[expert];
            }
        }
        return cv2WithoutEpsilon(importance);
    }

    /** CV² as V-MoE has it: population variance / mean²; NaN if all are 0. */
    static double cv2WithoutEpsilon(double[] values) {
        double mean = mean(values);
        return squaredDeviations(values, mean) / values.length / (mean * mean);
    }

    private static double mean(double[] values) {
        if (values.length == 0) {
            throw new IllegalArgumentException("there are no values; allowed: one per expert");
        }
        double sum = 0;
        for (double value : values) {
            sum += value;
        }
        return sum / values.length;
    }

    private static double squaredDeviations(double[] values, double mean) {
        double sum = 0;
        for (double value : values) {
            sum += (value - mean) * (value - mean);
        }
        return sum;
    }
}
