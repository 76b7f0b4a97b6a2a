// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.tools.chart.Axis;
import io.flinkmoe.tools.chart.Series;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** The plots of the quality of the answers, each as an SVG element, with a line per task. */
@Internal
final class QualityCharts {

    private static final int CALIBRATION_BINS = 10;

    private static final double[] DIAGONAL = {0, 100};

    private final Quality quality;

    /**
     * @param quality of at least one measurable task
     */
    QualityCharts(Quality quality) {
        this.quality = quality;
    }

    String roc() {
        List<Series> series = new ArrayList<>();
        for (TaskQuality task : quality.measurable()) {
            double[][] roc = Probabilities.roc(task.scores(), task.truth());
            String name = quality.nameOf(task, "model");
            series.add(Series.of(name, percent(roc[0]), percent(roc[1])));
        }
        series.add(Series.of("random prediction", DIAGONAL, DIAGONAL).asBaseline());
        boolean several = quality.isOfSeveral();
        return DemoCharts.half(
                "ROC curve",
                Axis.linear(
                        several
                                ? "% of the negative flights predicted as positive"
                                : "% of the on-time flights predicted as late"),
                Axis.linear(
                        several
                                ? "% of the positive flights predicted as positive"
                                : "% of the late flights predicted as late"),
                series);
    }

    String calibration() {
        List<Series> series = new ArrayList<>();
        for (TaskQuality task : quality.measurable()) {
            double[][] bins =
                    Probabilities.calibration(task.scores(), task.truth(), CALIBRATION_BINS);
            series.add(
                    Series.of(quality.nameOf(task, "flights"), percent(bins[0]), percent(bins[1]))
                            .withErrors(percent(bins[2]), percent(bins[3])));
        }
        series.add(Series.of("perfect calibration", DIAGONAL, DIAGONAL).asBaseline());
        return DemoCharts.half(
                "Calibration",
                Axis.linear("mean predicted probability, %").range(0, 100),
                Axis.linear(
                                quality.isOfSeveral()
                                        ? "% of the flights that were positive"
                                        : "% of the flights that were late")
                        .range(0, 100),
                series);
    }

    private static double[] percent(double[] parts) {
        return Arrays.stream(parts).map(part -> 100 * part).toArray();
    }
}
