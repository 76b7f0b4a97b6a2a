// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.routing.health.Importance;
import io.flinkmoe.schemas.Outcome;
import java.util.Arrays;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * The outcomes of a demo's choices in each of W windows of event time, by expert, and how evenly
 * the router distributed them.
 */
@Internal
final class DemoTimeline {

    /** More windows cannot be distinguished in a plot. */
    private static final int MAX_WINDOWS = 240;

    private final long start;
    private final long width;
    private final double[][][] counts;
    private final double[][] importance;

    /**
     * @param timestamps [T], the tokens' event times in milliseconds
     * @param numExperts N
     * @param window in milliseconds; several windows are merged if there are too many
     */
    DemoTimeline(DemoResults results, long[] timestamps, int numExperts, long window) {
        int[] scored = IntStream.range(0, results.tokens()).filter(results::isScored).toArray();
        long first = Arrays.stream(scored).mapToLong(i -> timestamps[i]).min().orElse(0);
        long last = Arrays.stream(scored).mapToLong(i -> timestamps[i]).max().orElse(0);
        long windows = Math.floorDiv(last, window) - Math.floorDiv(first, window) + 1;
        width = window * ((windows + MAX_WINDOWS - 1) / MAX_WINDOWS);
        start = Math.floorDiv(first, width) * width;
        int columns = (int) ((last - start) / width) + 1;
        counts = new double[Outcome.values().length][numExperts][columns];
        importance = new double[columns][numExperts];
        for (int token : scored) {
            int column = (int) ((timestamps[token] - start) / width);
            int[] experts = results.experts(token);
            for (int rank = 0; rank < experts.length; rank++) {
                if (experts[rank] >= 0) {
                    Outcome outcome = results.outcomes(token)[rank];
                    counts[outcome.ordinal()][experts[rank]][column]++;
                    importance[column][experts[rank]] += results.weights(token)[rank];
                }
            }
        }
    }

    /** The start of the first window. */
    long start() {
        return start;
    }

    /** The end of the last window. */
    long end() {
        return start + windows() * width;
    }

    /** The length of a window, in milliseconds. */
    long width() {
        return width;
    }

    /** The number of windows, W. */
    int windows() {
        return importance.length;
    }

    /** The middle of each window, [W]. */
    double[] middles() {
        return IntStream.range(0, windows()).mapToDouble(w -> start + (w + 0.5) * width).toArray();
    }

    /** The choices with one of these outcomes, [N, W]. */
    double[][] counts(Outcome... outcomes) {
        double[][] sum = new double[counts[0].length][windows()];
        for (Outcome outcome : outcomes) {
            for (int expert = 0; expert < sum.length; expert++) {
                for (int window = 0; window < windows(); window++) {
                    sum[expert][window] += counts[outcome.ordinal()][expert][window];
                }
            }
        }
        return sum;
    }

    /** The choices of each expert with this outcome, [N]. */
    double[] perExpert(Outcome outcome) {
        return sums(counts(outcome));
    }

    /** All choices with this outcome. */
    double total(Outcome outcome) {
        return Arrays.stream(perExpert(outcome)).sum();
    }

    /** All choices of each expert, with any outcome, [N]. */
    double[] load() {
        return sums(counts(Outcome.values()));
    }

    /** The sum of each expert's weights, [N]. */
    double[] importance() {
        double[] sum = new double[counts[0].length];
        for (double[] window : importance) {
            for (int expert = 0; expert < sum.length; expert++) {
                sum[expert] += window[expert];
            }
        }
        return sum;
    }

    /** CV² of the load of each window, [W]; NaN where nothing was chosen. */
    double[] loadCv2() {
        return ofLoads(Importance::cv2);
    }

    /**
     * {@link #evenness(double[])} of the load of each window, [W]; NaN where nothing was chosen.
     */
    double[] evenness() {
        return ofLoads(DemoTimeline::evenness);
    }

    /** CV² of the importance in each window, [W]; NaN where nothing was chosen. */
    double[] importanceCv2() {
        return Arrays.stream(importance).mapToDouble(w -> orNaN(w, Importance::cv2)).toArray();
    }

    /**
     * The entropy of the experts' shares of a load, divided by log N: 1 if balanced, 0 if one
     * expert has all choices.
     */
    static double evenness(double[] load) {
        if (load.length == 1) {
            return 1;
        }
        double all = Arrays.stream(load).sum();
        double entropy = 0;
        for (double n : load) {
            entropy -= n == 0 ? 0 : n / all * Math.log(n / all);
        }
        return entropy / Math.log(load.length);
    }

    private double[] ofLoads(ToDoubleFunction<double[]> measure) {
        double[][] all = counts(Outcome.values());
        return IntStream.range(0, windows())
                .mapToDouble(
                        w -> orNaN(Arrays.stream(all).mapToDouble(e -> e[w]).toArray(), measure))
                .toArray();
    }

    private static double[] sums(double[][] rows) {
        return Arrays.stream(rows).mapToDouble(row -> Arrays.stream(row).sum()).toArray();
    }

    private static double orNaN(double[] load, ToDoubleFunction<double[]> measure) {
        return Arrays.stream(load).sum() == 0 ? Double.NaN : measure.applyAsDouble(load);
    }
}
