// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing.health;

import io.flinkmoe.routing.LogitMatrix;
import org.apache.flink.annotation.Internal;

/**
 * The router z-loss, with coefficient 1: mean over T tokens of (log sum_e exp(z_te))², which keeps
 * logits small. From ST-MoE (arXiv 2202.08906, eq. 5); Switch's {@code router_z_loss_func} and
 * Megatron's {@code z_loss_func} are the same. Computed in double with {@link StrictMath}.
 */
@Internal
public final class RouterZLoss {

    private RouterZLoss() {}

    /**
     * @param routerLogits [T, N]
     * @throws IllegalArgumentException if T is 0 or the rows are not of N values
     */
    public static double of(float[] routerLogits, int numExperts) {
        LogitMatrix logits = LogitMatrix.of(routerLogits, numExperts);
        double sum = 0;
        for (int token = 0; token < logits.tokens(); token++) {
            double logSumExp = logits.logSumExp(token);
            sum += logSumExp * logSumExp;
        }
        return sum / logits.tokens();
    }
}
