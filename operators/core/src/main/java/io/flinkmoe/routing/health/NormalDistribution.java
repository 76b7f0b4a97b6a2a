// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing.health;

import org.apache.flink.annotation.Internal;

/**
 * The standard normal distribution function, by its series (Marsaglia, Evaluating the Normal
 * Distribution, 2004): Phi(x) = 1/2 + phi(x) (x + x³/3 + x⁵/(3*5) + x⁷/(3*5*7) + ...). The absolute
 * error is below 1e-15.
 */
@Internal
final class NormalDistribution {

    private static final double LOG_SQRT_2_PI = 0.91893853320467274178;

    /** Beyond it, Phi differs from 0 or 1 by less than the error of the series. */
    private static final double FAR = 8;

    private NormalDistribution() {}

    static double cdf(double x) {
        if (Math.abs(x) > FAR) {
            return x > 0 ? 1 : 0;
        }
        double term = x;
        double sum = x;
        double before = 0;
        for (int odd = 3; sum != before; odd += 2) {
            term *= x * x / odd;
            before = sum;
            sum += term;
        }
        return 0.5 + sum * StrictMath.exp(-0.5 * x * x - LOG_SQRT_2_PI);
    }
}
