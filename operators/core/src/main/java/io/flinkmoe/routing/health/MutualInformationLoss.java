// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing.health;

import io.flinkmoe.routing.LogitMatrix;
import org.apache.flink.annotation.Internal;

/**
 * ModuleFormer's loss (arXiv 2306.04640), with coefficient 1: the negative mutual information of
 * tokens and experts,
 *
 * <pre>
 *   sum_e P_e log P_e + mean_t H(p_t),   p = softmax(z) over N experts, P = mean over T tokens of p
 * </pre>
 *
 * in nats: 0 if the router does not distinguish tokens, -log N at best, when each token is certain
 * of its expert and all experts are used alike. 0 log 0 = 0. In double with {@link StrictMath}.
 */
@Internal
public final class MutualInformationLoss {

    private MutualInformationLoss() {}

    /**
     * @param routerLogits [T, N]
     * @throws IllegalArgumentException if T is 0 or the rows are not of N values
     */
    public static double of(float[] routerLogits, int numExperts) {
        LogitMatrix logits = LogitMatrix.of(routerLogits, numExperts);
        double[] p = new double[numExperts];
        double[] mean = new double[numExperts];
        double entropy = 0;
        for (int token = 0; token < logits.tokens(); token++) {
            logits.softmax(token, p);
            entropy += entropy(p);
            for (int expert = 0; expert < numExperts; expert++) {
                mean[expert] += p[expert] / logits.tokens();
            }
        }
        return entropy / logits.tokens() - entropy(mean);
    }

    /** H(p) = -sum p log p, in nats. */
    static double entropy(double[] p) {
        double sum = 0;
        for (double share : p) {
            if (share > 0) {
                sum -= share * StrictMath.log(share);
            }
        }
        return sum;
    }
}
