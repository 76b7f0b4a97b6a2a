// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing.health;

import io.flinkmoe.routing.LogitMatrix;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * How well a router of N experts spreads T tokens with k choices each. For the losses as each
 * system publishes them see {@link LoadBalancingLoss}, {@link RouterZLoss}, {@link Importance},
 * {@link ExpertLoad} and {@link MutualInformationLoss}.
 *
 * @param load [N], choices of each expert
 * @param share [N], the part of all choices, which sum to 1; 1/N each when balanced
 * @param deadExperts the experts that nothing chose, ascending
 * @param entropy mean entropy of a token's softmax probabilities, in nats: 0 when the router is
 *     certain, log N when it is undecided
 * @param importanceCv2 CV² of the sums of each expert's weights, 0 when balanced, up to N-1
 * @param loadCv2 CV² of the load, 0 when balanced, up to N-1
 * @param loadBalancingLoss Megatron's form, all choices divided by k: 1 when balanced, up to N
 * @param zLoss mean squared log-sum-exp of the logits
 */
@Internal
public record RoutingHealth(
        double[] load,
        double[] share,
        int[] deadExperts,
        double entropy,
        double importanceCv2,
        double loadCv2,
        double loadBalancingLoss,
        double zLoss) {

    /**
     * The health of one batch or window.
     *
     * @param routerLogits [T, N]
     * @param topKIndices [T, k]; -1 is no choice
     * @param topKWeights [T, k]
     * @throws IllegalArgumentException if T is 0, or the shapes do not fit
     */
    public static RoutingHealth of(
            float[] routerLogits, int[] topKIndices, float[] topKWeights, int numExperts) {
        LogitMatrix logits = LogitMatrix.of(routerLogits, numExperts);
        double[] load = ExpertLoad.count(topKIndices, numExperts);
        double choices = 0;
        for (double count : load) {
            choices += count;
        }
        double[] share = new double[numExperts];
        for (int expert = 0; expert < numExperts; expert++) {
            share[expert] = choices == 0 ? 0 : load[expert] / choices;
        }
        return new RoutingHealth(
                load,
                share,
                IntStream.range(0, numExperts).filter(expert -> load[expert] == 0).toArray(),
                entropy(logits),
                Importance.cv2(Importance.of(topKIndices, topKWeights, numExperts)),
                Importance.cv2(load),
                LoadBalancingLoss.megatronSwitch(routerLogits, topKIndices, numExperts),
                RouterZLoss.of(routerLogits, numExperts));
    }

    private static double entropy(LogitMatrix logits) {
        double[] p = new double[logits.numExperts()];
        double sum = 0;
        for (int token = 0; token < logits.tokens(); token++) {
            logits.softmax(token, p);
            sum += MutualInformationLoss.entropy(p);
        }
        return sum / logits.tokens();
    }
}
