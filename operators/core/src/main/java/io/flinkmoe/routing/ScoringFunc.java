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
    IDENTITY,
    /**
     * Phi-3.5-MoE's, at inference. The choice of rank j has the j-th largest logit m, and the score
     * {@code exp(m) / sum_i exp(z_i)} over the experts i that no earlier rank chose and that are
     * close: {@code (m - z_i) / max(|z_i|, m) ≤ 2ε}. Scores of one token may add up to k.
     */
    SPARSEMIXER
}
