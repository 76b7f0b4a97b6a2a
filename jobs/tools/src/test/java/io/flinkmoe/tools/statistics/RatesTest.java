// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.statistics;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class RatesTest {

    private final Rates rates = new Rates();

    @Test
    void knowsTheMiddleAndTheEnds() {
        for (double rate : new double[] {30, 10, 20}) {
            rates.add("a", rate);
        }
        assertThat(rates.of("a")).isEqualTo(new Spread(20, 10, 30));
        rates.add("a", 40);
        assertThat(rates.of("a")).isEqualTo(new Spread(25, 10, 40));
    }

    @Test
    void comparesWithinEachRound() {
        // A slow round slows both: the ratio is not that of the medians.
        double[][] rounds = {{10, 5}, {30, 10}, {4, 1}};
        for (double[] round : rounds) {
            rates.add("a", round[0]);
            rates.add("b", round[1]);
        }
        assertThat(rates.ratio("a", "b")).isEqualTo(new Spread(3, 2, 4));
    }

    @Test
    void hasNoRatioToWhatWasNotMeasured() {
        rates.add("a", 1);
        assertThat(rates.ratio("a", "b")).isNull();
    }
}
