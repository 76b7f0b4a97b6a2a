// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import org.apache.commons.math3.stat.interval.ConfidenceInterval;
import org.apache.commons.math3.stat.interval.WilsonScoreInterval;
import org.apache.flink.annotation.Internal;

/** Curves that show the quality of T predicted probabilities. */
@Internal
final class Probabilities {

    private static final int MAX_POINTS = 200;

    /** Bins with fewer answers are omitted. */
    private static final int MIN_BIN_SIZE = 20;

    private Probabilities() {}

    /**
     * The ROC curve: for decreasing thresholds, the shares of the negatives and of the positives
     * that are above the threshold. Tied scores are one step.
     *
     * @param scores T probabilities
     * @param positive T labels, at least one of each kind
     * @return [2, n]: the false positive rates and the true positive rates
     */
    static double[][] roc(float[] scores, boolean[] positive) {
        int[] order =
                IntStream.range(0, scores.length)
                        .boxed()
                        .sorted(Comparator.comparingDouble(i -> -scores[i]))
                        .mapToInt(Integer::intValue)
                        .toArray();
        long positives = IntStream.range(0, positive.length).filter(i -> positive[i]).count();
        long negatives = positive.length - positives;
        double[][] curve = new double[2][MAX_POINTS + 2];
        int points = 1;
        long hits = 0;
        for (int i = 0; i < order.length; i++) {
            hits += positive[order[i]] ? 1 : 0;
            boolean last = i + 1 == order.length;
            boolean due = (i + 1.0) / order.length >= (double) points / MAX_POINTS;
            if (last || due && scores[order[i]] != scores[order[i + 1]]) {
                curve[0][points] = (double) (i + 1 - hits) / negatives;
                curve[1][points++] = (double) hits / positives;
            }
        }
        int n = points;
        return Arrays.stream(curve).map(axis -> Arrays.copyOf(axis, n)).toArray(double[][]::new);
    }

    /**
     * The observed frequency of answers with similar probability. Bins with too few answers are
     * omitted.
     *
     * @param scores T probabilities
     * @param positive T labels
     * @param bins the number of bins of equal width from 0 to 1
     * @return [4, n]: the mean probability, the share of positives, and the lower and upper ends of
     *     its 95 % Wilson score interval
     */
    static double[][] calibration(float[] scores, boolean[] positive, int bins) {
        double[] sum = new double[bins];
        int[] n = new int[bins];
        int[] hits = new int[bins];
        for (int i = 0; i < scores.length; i++) {
            int bin = Math.max(0, Math.min(bins - 1, (int) (scores[i] * bins)));
            sum[bin] += scores[i];
            n[bin]++;
            hits[bin] += positive[i] ? 1 : 0;
        }
        int[] full = IntStream.range(0, bins).filter(bin -> n[bin] >= MIN_BIN_SIZE).toArray();
        double[][] curve = new double[4][full.length];
        for (int i = 0; i < full.length; i++) {
            int bin = full[i];
            ConfidenceInterval interval =
                    new WilsonScoreInterval().createInterval(n[bin], hits[bin], 0.95);
            curve[0][i] = sum[bin] / n[bin];
            curve[1][i] = (double) hits[bin] / n[bin];
            curve[2][i] = Math.max(0, interval.getLowerBound());
            curve[3][i] = Math.min(1, interval.getUpperBound());
        }
        return curve;
    }
}
