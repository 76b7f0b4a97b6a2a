// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ErfTest {

    @ParameterizedTest
    @CsvSource({
        "1e-10, 1.1283791670955126e-10",
        "0.1, 0.1124629160182849",
        "0.5, 0.5204998778130465",
        "1, 0.8427007929497149",
        "1.5, 0.9661051464753108",
        "2, 0.9953222650189527",
        "3, 0.9999779095030014",
        "5, 0.9999999999984626",
        "40, 1"
    })
    void isExactToTheLastBits(double x, double erf) {
        assertThat(Erf.erf(x)).isCloseTo(erf, within(2e-15 * Math.min(1, erf)));
        assertThat(Erf.erf(-x)).isEqualTo(-Erf.erf(x));
    }

    @Test
    void changesItsFormulaWithoutAStep() {
        double below = Erf.erf(Math.nextDown(2.0));
        assertThat(Erf.erf(2)).isCloseTo(below, within(2e-15));
    }

    @Test
    void keepsZeroAndNaN() {
        assertThat(Erf.erf(0)).isZero();
        assertThat(Erf.erf(Double.NaN)).isNaN();
    }
}
