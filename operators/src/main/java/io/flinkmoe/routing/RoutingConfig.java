package io.flinkmoe.routing;

/**
 * How a layer chooses its experts, with the names of Hugging Face configurations.
 *
 * @param numExperts N, the experts that tokens are routed to
 * @param numExpertsPerTok k, the experts that each token asks, 1 ≤ k ≤ N
 * @param scoringFunc how logits become scores
 * @param normTopKProb whether the weights of the k chosen are divided by their sum
 */
public record RoutingConfig(
        int numExperts, int numExpertsPerTok, ScoringFunc scoringFunc, boolean normTopKProb) {

    public RoutingConfig {
        if (numExperts < 1 || numExperts > Short.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "num_experts is %d; allowed: 1 to %d".formatted(numExperts, Short.MAX_VALUE));
        }
        if (numExpertsPerTok < 1 || numExpertsPerTok > numExperts) {
            throw new IllegalArgumentException(
                    "num_experts_per_tok is %d; allowed: 1 to num_experts, which is %d"
                            .formatted(numExpertsPerTok, numExperts));
        }
        if (scoringFunc == null) {
            throw new IllegalArgumentException("scoring_func is missing; allowed: softmax");
        }
    }

    /** Mixtral's: softmax over all experts, the k most probable, weights that sum to 1. */
    public static RoutingConfig mixtral(int numExperts, int numExpertsPerTok) {
        return new RoutingConfig(numExperts, numExpertsPerTok, ScoringFunc.SOFTMAX, true);
    }
}
