// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import org.apache.flink.annotation.Internal;

/**
 * The error function, {@code erf(x) = 2/sqrt(pi) * integral of exp(-t^2) from 0 to x}, within
 * 2e-15.
 *
 * <p>Below 2 it is the series {@code 2/sqrt(pi) exp(-x^2) sum_n 2^n x^(2n+1) / (1*3*..*(2n+1))},
 * whose terms are all positive, so that nothing cancels; beyond, one minus the continued fraction
 * {@code erfc(x) = exp(-x^2)/sqrt(pi) * 1/(x + (1/2)/(x + (2/2)/(x + (3/2)/(x + ...))))}.
 * Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.6 and 7.1.14.
 */
@Internal
final class Erf {

    private static final double SERIES_LIMIT = 2;

    /** At {@link #SERIES_LIMIT} that many are enough for every bit; farther out, fewer would be. */
    private static final int FRACTIONS = 60;

    private Erf() {}

    static double erf(double x) {
        double magnitude = StrictMath.abs(x);
        double exponential = StrictMath.exp(-magnitude * magnitude) / StrictMath.sqrt(Math.PI);
        double erf =
                magnitude < SERIES_LIMIT
                        ? 2 * exponential * series(magnitude)
                        : 1 - exponential / continuedFraction(magnitude);
        return StrictMath.copySign(erf, x);
    }

    private static double series(double x) {
        double sum = x;
        double term = x;
        for (int n = 1; term > sum * 1e-17; n++) {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return sum;
    }

    /** x + (1/2)/(x + (2/2)/(x + ...)), from the innermost outwards. */
    private static double continuedFraction(double x) {
        double denominator = x;
        for (int n = FRACTIONS; n > 0; n--) {
            denominator = x + n / 2.0 / denominator;
        }
        return denominator;
    }
}
