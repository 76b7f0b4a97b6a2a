// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import org.apache.flink.annotation.PublicEvolving;

/** How router logits become scores (DeepSeek's and vLLM's {@code scoring_func}). */
@PublicEvolving
public enum ScoringFunc {
    /** {@code exp(z_e) / sum_j exp(z_j)} over all N experts. */
    SOFTMAX,
    /** {@code 1 / (1 + exp(-z_e))}, each expert by itself. */
    SIGMOID
}
