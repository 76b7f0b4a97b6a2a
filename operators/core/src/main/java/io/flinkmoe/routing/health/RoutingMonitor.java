// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing.health;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * Collects the {@link RoutingHealth} of tokens as they are routed. Loads and importance count every
 * token. Entropy and losses need the probabilities, so they count every s-th token: N exponentials
 * per token would cost as much as the routing itself. With s = 1 the result is that of {@link
 * RoutingHealth#of}. Not for several threads.
 */
@Internal
public final class RoutingMonitor {

    private final int numExperts;
    private final int k;
    private final int stride;
    private final double[] load;
    private final double[] importance;
    private final double[] probability;
    private final double[] exponentials;
    private double entropy;
    private double zLoss;
    private int tokens;
    private int sampled;

    /**
     * @param k choices per token
     * @param stride s, 1 or more
     */
    public RoutingMonitor(int numExperts, int k, int stride) {
        this.numExperts = numExperts;
        this.k = k;
        this.stride = stride;
        this.load = new double[numExperts];
        this.importance = new double[numExperts];
        this.probability = new double[numExperts];
        this.exponentials = new double[numExperts];
    }

    /** Tokens collected. */
    public int tokens() {
        return tokens;
    }

    /**
     * Adds a token.
     *
     * @param routerLogits [T, N], finite or −∞
     * @param experts [T, K], K ≥ k, in order of rank; -1 for a rank without an expert
     * @param weights [T, K]
     * @param token which of the T
     */
    public void add(float[] routerLogits, int[] experts, float[] weights, int ranks, int token) {
        for (int at = token * ranks; at < token * ranks + k; at++) {
            if (experts[at] >= 0) {
                load[experts[at]]++;
                importance[experts[at]] += weights[at];
            }
        }
        if (tokens % stride == 0) {
            sample(routerLogits, token * numExperts);
        }
        tokens++;
    }

    private void sample(float[] logits, int from) {
        double max = logits[from];
        for (int expert = 1; expert < numExperts; expert++) {
            max = Math.max(max, logits[from + expert]);
        }
        // Math is several times as fast as StrictMath, and no token's answer depends on its last
        // bit.
        double sum = 0;
        for (int expert = 0; expert < numExperts; expert++) {
            exponentials[expert] = Math.exp(logits[from + expert] - max);
            sum += exponentials[expert];
        }
        double logSumExp = max + Math.log(sum);
        // -sum p·log p = logSumExp - sum p·z
        double mean = 0;
        for (int expert = 0; expert < numExperts; expert++) {
            double p = exponentials[expert] / sum;
            probability[expert] += p;
            mean += p > 0 ? p * logits[from + expert] : 0; // not 0 times −∞
        }
        entropy += logSumExp - mean;
        zLoss += logSumExp * logSumExp;
        sampled++;
    }

    /**
     * Gives the health of the tokens collected, at least one, and starts anew.
     *
     * @throws IllegalStateException if there is none
     */
    public RoutingHealth drain() {
        if (tokens == 0) {
            throw new IllegalStateException("no token was added");
        }
        double[] counts = load.clone();
        double[] share = new double[numExperts];
        double loss = 0;
        for (int expert = 0; expert < numExperts; expert++) {
            share[expert] = counts[expert] / tokens / k;
            loss += share[expert] * probability[expert] / sampled;
        }
        RoutingHealth health =
                new RoutingHealth(
                        counts,
                        share,
                        IntStream.range(0, numExperts).filter(e -> counts[e] == 0).toArray(),
                        entropy / sampled,
                        Importance.cv2(importance),
                        Importance.cv2(counts),
                        numExperts * loss,
                        zLoss / sampled);
        Arrays.fill(load, 0);
        Arrays.fill(importance, 0);
        Arrays.fill(probability, 0);
        entropy = 0;
        zLoss = 0;
        tokens = 0;
        sampled = 0;
        return health;
    }
}
