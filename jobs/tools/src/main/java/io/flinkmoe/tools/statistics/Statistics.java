// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.statistics;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.apache.commons.math3.stat.descriptive.rank.Percentile;
import org.apache.commons.math3.stat.descriptive.rank.Percentile.EstimationType;
import org.apache.commons.math3.stat.ranking.NaturalRanking;
import org.apache.commons.math3.stat.ranking.TiesStrategy;
import org.apache.flink.annotation.Internal;

/** Statistics for reports. */
@Internal
public final class Statistics {

    private Statistics() {}

    /**
     * The area under the ROC curve: the probability that a positive has a higher score than a
     * negative, where a tie counts half. It is computed from ranks (Mann-Whitney). Tied scores have
     * their mean rank.
     *
     * @param scores T scores
     * @param positive T labels
     * @return NaN unless there are positives and negatives
     */
    public static double auc(float[] scores, boolean[] positive) {
        int[] positives = IntStream.range(0, scores.length).filter(i -> positive[i]).toArray();
        int negatives = scores.length - positives.length;
        if (positives.length == 0 || negatives == 0) {
            return Double.NaN;
        }
        double[] ranks =
                new NaturalRanking(TiesStrategy.AVERAGE)
                        .rank(
                                IntStream.range(0, scores.length)
                                        .mapToDouble(i -> scores[i])
                                        .toArray());
        double rankSum = Arrays.stream(positives).mapToDouble(i -> ranks[i]).sum();
        double minimum = positives.length * (positives.length + 1.0) / 2;
        return (rankSum - minimum) / ((double) positives.length * negatives);
    }

    /**
     * The mean cross-entropy of probabilities: of −ln p for positives and −ln(1 − p) for negatives,
     * computed in double precision.
     *
     * @param probabilities T probabilities
     * @param positive T labels
     * @return NaN without values; infinite if 0 was given to what happened
     */
    public static double logLoss(float[] probabilities, boolean[] positive) {
        double sum = 0;
        for (int i = 0; i < probabilities.length; i++) {
            sum -= Math.log(positive[i] ? probabilities[i] : 1.0 - probabilities[i]);
        }
        return sum / probabilities.length;
    }

    /**
     * The smallest value such that at least the given share of all values does not exceed it
     * (nearest rank).
     *
     * @param share above 0, at most 1
     * @return 0 if there are no values
     */
    public static long percentile(long[] values, double share) {
        if (values.length == 0) {
            return 0;
        }
        Percentile nearestRank = new Percentile().withEstimationType(EstimationType.R_1);
        double[] exact = Arrays.stream(values).asDoubleStream().toArray();
        return (long) nearestRank.evaluate(exact, 100 * share);
    }
}
