// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import org.apache.flink.annotation.PublicEvolving;

/** Where a router's random draws come from; the same arguments always give the same draw. */
@PublicEvolving
public interface NoiseSource {

    /** Uniform in [0, 1), one per token of the call. */
    float uniform(int token);

    /** Uniform in [0, 1), one per token of the call and value of its vector. */
    float uniform(int token, int value);

    /** Standard normal, one per token of the call and expert. */
    float normal(int token, int expert);

    /** Standard Gumbel, -log(-log(u)), one per token of the call and expert. */
    float gumbel(int token, int expert);

    /** Uniform in [0, 1), one per token of the call and expert: the order of random admission. */
    float priority(int token, int expert);

    /** The same draws for the tokens from {@code first} on, counted from 0. */
    default NoiseSource from(int first) {
        NoiseSource all = this;
        return new NoiseSource() {
            @Override
            public float uniform(int token) {
                return all.uniform(first + token);
            }

            @Override
            public float uniform(int token, int value) {
                return all.uniform(first + token, value);
            }

            @Override
            public float normal(int token, int expert) {
                return all.normal(first + token, expert);
            }

            @Override
            public float gumbel(int token, int expert) {
                return all.gumbel(first + token, expert);
            }

            @Override
            public float priority(int token, int expert) {
                return all.priority(first + token, expert);
            }
        };
    }
}
