// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import io.flinkmoe.routing.LogitMatrix;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import io.flinkmoe.routing.TopK;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * Sinkhorn routing in training (Megatron-LM's {@code sinkhorn} and {@code
 * TopKRouter.sinkhorn_load_balancing}; cf. S-BASE, arXiv 2202.01169): tokens choose by an entropic
 * transport plan that gives each of T tokens mass 1/T and each of N experts 1/N, so that the
 * experts get about the same load. Inference does not use the plan: see the preset {@code
 * sinkhorn}.
 *
 * <pre>
 *   A = exp(z),  d1 = 1                                        [T, N], [N]
 *   repeat  d0 = 1 / (T (A d1 + 1e-8)),  d1 = 1 / (N (A^T d0 + 1e-8))
 *   until   mean|d1 - d1 before| ≤ 1e-4
 *   plan = d0 * A * d1
 *   topKIndices = the k largest of the plan; equal ones: the lowest id first
 *   topKWeights = sigmoid(z) if k = 1, else softmax(z), of the chosen; never the plan's mass
 * </pre>
 *
 * exp(z) is computed without subtracting the maximum, which would change the effect of the 1e-8. In
 * double it is finite up to a logit of 700. The result is rounded to float32 once.
 */
@Internal
public final class Sinkhorn {

    private static final double EPSILON = 1e-8;
    private static final double TOLERANCE = 1e-4;
    private static final double LARGEST_LOGIT = 700;
    private static final int MOST_ROUNDS = 10_000;

    private Sinkhorn() {}

    /**
     * The transport plan.
     *
     * @param routerLogits [T, N]
     * @return [T, N]
     * @throws IllegalArgumentException if T is 0, or a logit is above 700 or NaN
     * @throws ArithmeticException if the plan has not settled after 10 000 rounds
     */
    public static float[] plan(float[] routerLogits, int numExperts) {
        LogitMatrix logits = LogitMatrix.of(routerLogits, numExperts);
        int tokens = logits.tokens();
        double[] a = exponentials(routerLogits);
        double[] d0 = new double[tokens];
        double[] d1 = new double[numExperts];
        Arrays.fill(d1, 1);
        for (int round = 0; round < MOST_ROUNDS; round++) {
            scaleTokens(a, d0, d1);
            if (scaleExperts(a, d0, d1) <= TOLERANCE) {
                return product(a, d0, d1);
            }
        }
        throw new ArithmeticException(
                "the Sinkhorn plan of %d tokens and %d experts has not settled after %d rounds"
                        .formatted(tokens, numExperts, MOST_ROUNDS));
    }

    /**
     * Routes T tokens by the plan.
     *
     * @param routerLogits [T, N]
     * @param k choices per token, 1 to N
     * @param topKIndices [T, k], written
     * @param topKWeights [T, k], written
     */
    public static void route(
            float[] routerLogits, int numExperts, int k, int[] topKIndices, float[] topKWeights) {
        if (k < 1 || k > numExperts) {
            throw new IllegalArgumentException(
                    "k is %d; allowed: 1 to num_experts, which is %d".formatted(k, numExperts));
        }
        float[] plan = plan(routerLogits, numExperts);
        ScoringFunc function = k == 1 ? ScoringFunc.SIGMOID : ScoringFunc.SOFTMAX;
        float[] scores = Scores.of(function, routerLogits, numExperts);
        int tokens = plan.length / numExperts;
        new TopK(numExperts, k, null).select(plan, 0, tokens, topKIndices, 0);
        for (int token = 0; token < tokens; token++) {
            for (int i = token * k; i < (token + 1) * k; i++) {
                topKWeights[i] = scores[token * numExperts + topKIndices[i]];
            }
        }
    }

    private static double[] exponentials(float[] logits) {
        double[] a = new double[logits.length];
        for (int i = 0; i < a.length; i++) {
            if (!(logits[i] <= LARGEST_LOGIT)) {
                throw new IllegalArgumentException(
                        "router logit %d is %s; allowed in a Sinkhorn plan: up to %s"
                                .formatted(i, logits[i], LARGEST_LOGIT));
            }
            a[i] = StrictMath.exp(logits[i]);
        }
        return a;
    }

    private static void scaleTokens(double[] a, double[] d0, double[] d1) {
        for (int token = 0; token < d0.length; token++) {
            double sum = 0;
            for (int expert = 0; expert < d1.length; expert++) {
                sum += a[token * d1.length + expert] * d1[expert];
            }
            d0[token] = 1 / (d0.length * (sum + EPSILON));
        }
    }

    /** Replaces d1 and returns how much it changed, mean|d1 - d1 before|. */
    private static double scaleExperts(double[] a, double[] d0, double[] d1) {
        double change = 0;
        for (int expert = 0; expert < d1.length; expert++) {
            double sum = 0;
            for (int token = 0; token < d0.length; token++) {
                sum += a[token * d1.length + expert] * d0[token];
            }
            double scale = 1 / (d1.length * (sum + EPSILON));
            change += Math.abs(scale - d1[expert]);
            d1[expert] = scale;
        }
        return change / d1.length;
    }

    private static float[] product(double[] a, double[] d0, double[] d1) {
        float[] plan = new float[a.length];
        for (int i = 0; i < plan.length; i++) {
            plan[i] = (float) (d0[i / d1.length] * a[i] * d1[i % d1.length]);
        }
        return plan;
    }
}
