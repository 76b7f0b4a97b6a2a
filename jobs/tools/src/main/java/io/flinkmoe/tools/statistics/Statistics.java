package io.flinkmoe.tools.statistics;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/** The figures of the demo's report. */
@Internal
public final class Statistics {

    private Statistics() {}

    /**
     * The area under the ROC curve: how likely a positive is scored above a negative, a tie
     * counting half. From ranks (Mann-Whitney), tied scores sharing their mean rank.
     *
     * @param scores T scores
     * @param positive T truths
     * @return NaN unless there are positives and negatives
     */
    public static double auc(float[] scores, boolean[] positive) {
        int[] order =
                IntStream.range(0, scores.length)
                        .boxed()
                        .sorted(Comparator.comparingDouble(i -> scores[i]))
                        .mapToInt(Integer::intValue)
                        .toArray();
        double rankSum = 0;
        long positives = 0;
        for (int from = 0, to; from < order.length; from = to) {
            to = from + 1;
            while (to < order.length && scores[order[to]] == scores[order[from]]) {
                to++;
            }
            double meanRank = (from + 1 + to) / 2.0;
            for (int i = from; i < to; i++) {
                if (positive[order[i]]) {
                    rankSum += meanRank;
                    positives++;
                }
            }
        }
        long negatives = scores.length - positives;
        return (rankSum - positives * (positives + 1) / 2.0) / ((double) positives * negatives);
    }

    /**
     * The smallest value that at least a share of all values does not exceed (nearest rank).
     *
     * @param share above 0, at most 1
     * @return 0 if there are no values
     */
    public static long percentile(long[] values, double share) {
        if (values.length == 0) {
            return 0;
        }
        long[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[(int) Math.ceil(share * sorted.length) - 1];
    }
}
