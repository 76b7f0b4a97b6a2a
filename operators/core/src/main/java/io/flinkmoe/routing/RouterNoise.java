// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import org.apache.flink.annotation.PublicEvolving;

/**
 * Noise in the router. Off unless a layer has it: most systems draw it in training only. Draws come
 * from a {@link NoiseSource}, in a stream seeded per token, so that a replay draws the same.
 *
 * @param kind where the noise enters
 * @param amount ε of INPUT_JITTER, the threshold of RANDOM_SECOND; unused otherwise
 */
@PublicEvolving
public record RouterNoise(Kind kind, float amount) {

    /** Where the noise enters. */
    public enum Kind {
        /**
         * The router (not the experts) sees x·u, u uniform in 1-ε..1+ε per value: Switch (mesh).
         */
        INPUT_JITTER,
        /** z + n·stddev, n normal per token and expert: Shazeer's noisy top-k. */
        NORMAL,
        /**
         * The second expert is the argmax of z + Gumbel noise without the first: DeepSpeed top-2.
         */
        GUMBEL_SECOND,
        /**
         * The second choice is kept if {@code u < weight / threshold}, with u uniform per token:
         * ST-MoE (mesh).
         */
        RANDOM_SECOND
    }

    /** Whether only a second choice is drawn, so that k must be 2. */
    boolean isOfSecondChoice() {
        return kind == Kind.GUMBEL_SECOND || kind == Kind.RANDOM_SECOND;
    }

    public RouterNoise {
        if (kind == null) {
            throw new IllegalArgumentException(
                    "kind is missing; allowed: input_jitter, normal, gumbel_second, random_second");
        }
        if (!(amount >= 0) || Float.isInfinite(amount)) {
            throw new IllegalArgumentException(
                    "amount is %s; allowed: 0 or more".formatted(amount));
        }
        if (kind == Kind.RANDOM_SECOND && amount == 0) {
            throw new IllegalArgumentException("amount is 0; random_second needs its threshold");
        }
    }
}
