// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.tools.statistics.Statistics;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ProbabilitiesTest {

    @Test
    void rocRunsFromCornerToCornerOverTheAreaThatAucCounts() {
        Random random = new Random(11);
        float[] scores = new float[5000];
        boolean[] positive = new boolean[scores.length];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = random.nextInt(1000) / 1000f;
            positive[i] = random.nextFloat() < scores[i];
        }

        double[][] roc = Probabilities.roc(scores, positive);

        int last = roc[0].length - 1;
        double area = 0;
        for (int i = 1; i <= last; i++) {
            assertThat(roc[0][i]).isGreaterThanOrEqualTo(roc[0][i - 1]);
            assertThat(roc[1][i]).isGreaterThanOrEqualTo(roc[1][i - 1]);
            area += (roc[0][i] - roc[0][i - 1]) * (roc[1][i] + roc[1][i - 1]) / 2;
        }
        assertThat(new double[] {roc[0][0], roc[1][0], roc[0][last], roc[1][last]})
                .containsExactly(0, 0, 1, 1);
        assertThat(last).isBetween(100, 201);
        assertThat(area).isCloseTo(Statistics.auc(scores, positive), within(1e-4));
    }

    @Test
    void tiedScoresAreOneStepOfTheRocCurve() {
        double[][] roc =
                Probabilities.roc(
                        new float[] {0.5f, 0.5f, 0.5f, 0.1f},
                        new boolean[] {true, false, true, false});

        assertThat(roc[0]).containsExactly(0, 0.5, 1);
        assertThat(roc[1]).containsExactly(0, 1, 1);
    }

    @Test
    void calibrationIsTheMeanAndThePartThatIsPositive() {
        float[] scores = new float[125];
        boolean[] positive = new boolean[125];
        for (int i = 0; i < 100; i++) {
            scores[i] = i % 2 == 0 ? 0.22f : 0.28f;
            positive[i] = i % 5 == 0;
        }
        for (int i = 100; i < 120; i++) {
            scores[i] = 1;
            positive[i] = true;
        }

        double[][] bins = Probabilities.calibration(scores, positive, 10);

        assertThat(bins[0]).usingComparatorWithPrecision(1e-6).containsExactly(0.25, 1);
        assertThat(bins[1]).containsExactly(0.2, 1);
        // Wilson's interval of 20 in 100, and of 20 in 20.
        assertThat(bins[2]).usingComparatorWithPrecision(1e-3).containsExactly(0.1334, 0.8389);
        assertThat(bins[3]).usingComparatorWithPrecision(1e-3).containsExactly(0.2888, 1);
    }
}
