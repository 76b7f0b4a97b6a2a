// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class StatisticsTest {

    @Test
    void aucIsOneWhereAllPositivesLeadAndZeroWhereTheyTrail() {
        float[] scores = {0.1f, 0.9f, 0.2f, 0.8f};

        assertThat(Statistics.auc(scores, new boolean[] {false, true, false, true})).isEqualTo(1);
        assertThat(Statistics.auc(scores, new boolean[] {true, false, true, false})).isZero();
    }

    @Test
    void tiesCountHalf() {
        float[] scores = {0.5f, 0.5f, 0.5f};

        assertThat(Statistics.auc(scores, new boolean[] {true, false, false})).isEqualTo(0.5);
    }

    @Test
    void aucIsTheShareOfPairsInOrder() {
        Random random = new Random(7);
        int n = 300;
        float[] scores = new float[n];
        boolean[] positive = new boolean[n];
        for (int i = 0; i < n; i++) {
            scores[i] = random.nextInt(40) / 40f;
            positive[i] = random.nextInt(3) == 0;
        }
        double won = 0;
        double pairs = 0;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                if (positive[i] && !positive[j]) {
                    pairs++;
                    won += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
                }
            }
        }

        assertThat(Statistics.auc(scores, positive)).isCloseTo(won / pairs, within(1e-12));
    }

    @Test
    void aucOfOneClassIsNotANumber() {
        assertThat(Statistics.auc(new float[] {1, 2}, new boolean[] {true, true})).isNaN();
        assertThat(Statistics.auc(new float[0], new boolean[0])).isNaN();
    }

    @Test
    void logLossIsTheMeanOfTheLogarithmsOfWhatHappened() {
        float[] probabilities = {0.5f, 0.25f, 0.25f};

        assertThat(Statistics.logLoss(probabilities, new boolean[] {true, true, false}))
                .isCloseTo((Math.log(2) + Math.log(4) + Math.log(4 / 3.0)) / 3, within(1e-12));
        assertThat(Statistics.logLoss(new float[] {0}, new boolean[] {true})).isInfinite();
        assertThat(Statistics.logLoss(new float[0], new boolean[0])).isNaN();
    }

    @Test
    void percentileIsTheNearestRank() {
        long[] values = {50, 10, 40, 20, 30};

        assertThat(Statistics.percentile(values, 0.5)).isEqualTo(30);
        assertThat(Statistics.percentile(values, 0.99)).isEqualTo(50);
        assertThat(Statistics.percentile(values, 0.2)).isEqualTo(10);
        assertThat(Statistics.percentile(new long[0], 0.5)).isZero();
    }
}
