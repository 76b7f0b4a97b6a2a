// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.tools.flights.FlightLabels;
import io.flinkmoe.tools.flights.FlightTask;
import io.flinkmoe.tools.statistics.Statistics;
import org.apache.flink.annotation.Internal;

/** How well the probabilities of one task predict the truth, over the flights with an output. */
@Internal
final class TaskQuality {

    private final FlightTask task;
    private final float[] scores;
    private final boolean[] truth;
    private final double auc;

    /**
     * @param number the number of the task
     * @param positions the flights with an output
     */
    TaskQuality(DemoResults results, int number, FlightLabels labels, int[] positions) {
        task = labels.task();
        scores = new float[positions.length];
        truth = new boolean[positions.length];
        for (int i = 0; i < positions.length; i++) {
            scores[i] = results.probability(number, positions[i]);
            truth[i] = labels.isPositive()[positions[i]];
        }
        auc = Statistics.auc(scores, truth);
    }

    FlightTask task() {
        return task;
    }

    /** The probabilities. */
    float[] scores() {
        return scores;
    }

    /** Whether each of these flights is positive. */
    boolean[] truth() {
        return truth;
    }

    /** The area under the ROC curve; NaN unless there are positives and negatives. */
    double auc() {
        return auc;
    }

    /** The AUC as text. */
    String aucText() {
        return text("%.5f", auc);
    }

    /** Whether there are positives and negatives. */
    boolean isMeasurable() {
        return !Double.isNaN(auc);
    }

    /**
     * The mean of −ln p, where p is the probability given to what happened; NaN without flights.
     */
    double logLoss() {
        return Statistics.logLoss(scores, truth);
    }

    /** The share of the flights that are positive; NaN without flights. */
    double observed() {
        int positives = 0;
        for (boolean isPositive : truth) {
            positives += isPositive ? 1 : 0;
        }
        return (double) positives / truth.length;
    }

    /** The mean probability; NaN without flights. */
    double predicted() {
        double sum = 0;
        for (float score : scores) {
            sum += score;
        }
        return sum / scores.length;
    }

    /** What the columns of {@link Quality#COLUMNS} show. */
    Object[] cells() {
        return new Object[] {
            task.name(),
            task.title(),
            text("%.2f %%", 100 * observed()),
            text("%.2f %%", 100 * predicted()),
            aucText(),
            text("%.4f", logLoss())
        };
    }

    private static String text(String format, double value) {
        return Double.isNaN(value) ? "-" : format.formatted(value);
    }
}
