package io.flinkmoe.routing;

/** How router logits become scores (DeepSeek's and vLLM's {@code scoring_func}). */
public enum ScoringFunc {
    /** {@code exp(z_e) / sum_j exp(z_j)} over all N experts. */
    SOFTMAX,
    /** {@code 1 / (1 + exp(-z_e))}, each expert by itself. */
    SIGMOID
}
