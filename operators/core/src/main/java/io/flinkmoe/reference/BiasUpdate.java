// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import org.apache.flink.annotation.Internal;

/**
 * Balances experts without an auxiliary loss (arXiv 2408.15664, DeepSeek-V3; as Megatron's {@code
 * get_updated_expert_bias}): after each step the bias that is added to the scores for selection
 * rises by a fixed rate for experts with less than the mean load, and falls for those with more.
 *
 * <pre>
 *   b_e += rate * sign(mean(load) - load_e),   sign(0) = 0
 * </pre>
 *
 * All in float32, as published.
 */
@Internal
public final class BiasUpdate {

    private BiasUpdate() {}

    /**
     * The bias after one step.
     *
     * @param bias [N]
     * @param load [N], the choices of each expert in the step, over all tokens of the batch
     * @param updateRate 1e-3 in the paper
     * @return [N], a new array
     * @throws IllegalArgumentException if the lengths differ or are 0
     */
    public static float[] step(float[] bias, long[] load, float updateRate) {
        if (bias.length == 0 || bias.length != load.length) {
            throw new IllegalArgumentException(
                    "load has %d values, bias %d; allowed: one of each per expert"
                            .formatted(load.length, bias.length));
        }
        long total = 0;
        for (long choices : load) {
            total += choices;
        }
        float mean = (float) total / load.length;
        float[] updated = new float[bias.length];
        for (int expert = 0; expert < bias.length; expert++) {
            updated[expert] = bias[expert] + Math.signum(mean - load[expert]) * updateRate;
        }
        return updated;
    }
}
