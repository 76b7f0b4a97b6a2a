// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import org.apache.flink.annotation.PublicEvolving;

/** How router logits become scores (DeepSeek's and vLLM's {@code scoring_func}). */
@PublicEvolving
public enum ScoringFunc {
    /** {@code exp(z_e) / sum_j exp(z_j)} over all N experts. */
    SOFTMAX,
    /** {@code 1 / (1 + exp(-z_e))}, each expert by itself. */
    SIGMOID,
    /**
     * {@code z_e}: the router's outputs are the weights. An expert whose weight is 0 does not run;
     * a token with a negative weight fails.
     */
    IDENTITY
}
