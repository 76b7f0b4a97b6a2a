// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * How a layer chooses its experts: a composition of independent settings, with the names of Hugging
 * Face configurations. {@link RoutingPresets} names those of the published systems.
 *
 * @param numExperts N, the experts that tokens are routed to
 * @param numExpertsPerTok k, the experts that each token is sent to, 1 ≤ k ≤ N; null for a dense
 *     gate, which sends each token to every expert
 * @param scoringFunc how logits become scores
 * @param scoreCorrectionBias [N], added to the scores for the selection only (DeepSeek-V3's {@code
 *     e_score_correction_bias}); null for none
 * @param groupLimit limits the selection to the best groups of experts; null for none
 * @param normTopKProb whether the weights of the k chosen are divided by their norm
 * @param normOrder the p of that norm, 1 or 2 (DBRX's {@code moe_normalize_expert_weights}); null
 *     for 1
 * @param routedScalingFactor multiplies the weights in the end; null for 1
 * @param noise noise in the router; null for none
 */
@PublicEvolving
public record RoutingConfig(
        int numExperts,
        Integer numExpertsPerTok,
        ScoringFunc scoringFunc,
        List<Float> scoreCorrectionBias,
        GroupLimit groupLimit,
        boolean normTopKProb,
        Integer normOrder,
        Float routedScalingFactor,
        RouterNoise noise) {

    public RoutingConfig {
        if (numExperts < 1 || numExperts > Short.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "num_experts is %d; allowed: 1 to %d".formatted(numExperts, Short.MAX_VALUE));
        }
        if (numExpertsPerTok != null && (numExpertsPerTok < 1 || numExpertsPerTok > numExperts)) {
            throw new IllegalArgumentException(
                    "num_experts_per_tok is %d; allowed: 1 to num_experts, which is %d"
                            .formatted(numExpertsPerTok, numExperts));
        }
        if (scoringFunc == null) {
            throw new IllegalArgumentException(
                    "scoring_func is missing; allowed: softmax, sigmoid, identity");
        }
        if (numExpertsPerTok == null) {
            checkDense(scoreCorrectionBias, groupLimit, noise);
        }
        if (scoreCorrectionBias != null) {
            if (scoreCorrectionBias.size() != numExperts) {
                throw new IllegalArgumentException(
                        "e_score_correction_bias has %d values; allowed: num_experts, which is %d"
                                .formatted(scoreCorrectionBias.size(), numExperts));
            }
            for (int expert = 0; expert < numExperts; expert++) {
                Float bias = scoreCorrectionBias.get(expert);
                if (bias == null || !Float.isFinite(bias)) {
                    throw new IllegalArgumentException(
                            "e_score_correction_bias[%d] is %s; allowed: finite values"
                                    .formatted(expert, bias));
                }
            }
            scoreCorrectionBias = List.copyOf(scoreCorrectionBias);
        }
        if (groupLimit != null) {
            checkGroups(groupLimit, numExperts, numExpertsPerTok);
        }
        if (normOrder != null && normOrder != 1 && normOrder != 2) {
            throw new IllegalArgumentException(
                    "norm_order is %d; allowed: 1 or 2".formatted(normOrder));
        }
        if (routedScalingFactor != null && !Float.isFinite(routedScalingFactor)) {
            throw new IllegalArgumentException(
                    "routed_scaling_factor is %s; allowed: finite values"
                            .formatted(routedScalingFactor));
        }
        if (noise != null
                && noise.isOfSecondChoice()
                && (numExpertsPerTok == null || numExpertsPerTok != 2)) {
            throw new IllegalArgumentException(
                    "noise is %s, but num_experts_per_tok is %d; allowed: 2"
                            .formatted(noise.kind(), numExpertsPerTok));
        }
    }

    /** What changes the selection has no meaning where all experts are selected. */
    private static void checkDense(List<Float> bias, GroupLimit limit, RouterNoise noise) {
        String field =
                bias != null
                        ? "e_score_correction_bias"
                        : limit != null
                                ? "group_limit"
                                : noise != null && noise.isOfSecondChoice() ? "noise" : null;
        if (field != null) {
            throw new IllegalArgumentException(
                    "%s is set, but num_experts_per_tok is missing, so every expert is selected; remove %s, or set num_experts_per_tok"
                            .formatted(field, field));
        }
    }

    private static void checkGroups(GroupLimit limit, int numExperts, int numExpertsPerTok) {
        if (numExperts % limit.nGroup() != 0) {
            throw new IllegalArgumentException(
                    "n_group is %d; allowed: a divisor of num_experts, which is %d"
                            .formatted(limit.nGroup(), numExperts));
        }
        int selectable = selectable(limit, numExperts);
        if (numExpertsPerTok > selectable) {
            throw new IllegalArgumentException(
                    "num_experts_per_tok is %d, but topk_group groups have only %d experts"
                            .formatted(numExpertsPerTok, selectable));
        }
        if (limit.groupScore() == GroupLimit.GroupScore.TOP2_SUM
                && numExperts / limit.nGroup() < 2) {
            throw new IllegalArgumentException(
                    "group_score is top2_sum, but a group has one expert; allowed: max");
        }
    }

    private static int selectable(GroupLimit limit, int numExperts) {
        return numExperts / limit.nGroup() * limit.topkGroup();
    }

    /** k, the choices of a token: num_experts_per_tok, or N if the gate is dense. */
    public int k() {
        return isDense() ? numExperts : numExpertsPerTok;
    }

    /** Whether each token is sent to every expert. */
    public boolean isDense() {
        return numExpertsPerTok == null;
    }

    /** How many experts a token may be sent to: all N, or those of the groups that are kept. */
    public int selectable() {
        return groupLimit == null ? numExperts : selectable(groupLimit, numExperts);
    }

    /** Softmax over all experts, the k largest, weights as they are: the plainest router. */
    public static RoutingConfig softmax(int numExperts, int numExpertsPerTok) {
        return new RoutingConfig(
                numExperts,
                numExpertsPerTok,
                ScoringFunc.SOFTMAX,
                null,
                null,
                false,
                null,
                null,
                null);
    }

    /** A dense gate: softmax over all experts, all of which run (Ma et al. 2018, MMoE). */
    public static RoutingConfig dense(int numExperts) {
        return new RoutingConfig(
                numExperts, null, ScoringFunc.SOFTMAX, null, null, false, null, null, null);
    }

    /** Each score by itself, the k largest, weights as they are. */
    public static RoutingConfig sigmoid(int numExperts, int numExpertsPerTok) {
        return new RoutingConfig(
                numExperts,
                numExpertsPerTok,
                ScoringFunc.SIGMOID,
                null,
                null,
                false,
                null,
                null,
                null);
    }

    /** Mixtral's: softmax over all experts, the k most probable, weights that sum to 1. */
    public static RoutingConfig mixtral(int numExperts, int numExpertsPerTok) {
        return softmax(numExperts, numExpertsPerTok).normalized(true);
    }

    /** The same with or without division of the weights by their sum. */
    public RoutingConfig normalized(boolean normalize) {
        return new RoutingConfig(
                numExperts,
                numExpertsPerTok,
                scoringFunc,
                scoreCorrectionBias,
                groupLimit,
                normalize,
                null,
                routedScalingFactor,
                noise);
    }

    /** The same with the weights divided by their p-norm. */
    public RoutingConfig normalizedBy(int order) {
        return new RoutingConfig(
                numExperts,
                numExpertsPerTok,
                scoringFunc,
                scoreCorrectionBias,
                groupLimit,
                true,
                order,
                routedScalingFactor,
                noise);
    }

    /** The same with a bias for the selection, [N]. */
    public RoutingConfig biased(List<Float> bias) {
        return new RoutingConfig(
                numExperts,
                numExpertsPerTok,
                scoringFunc,
                bias,
                groupLimit,
                normTopKProb,
                normOrder,
                routedScalingFactor,
                noise);
    }

    /** The same with the selection limited to groups. */
    public RoutingConfig limitedTo(GroupLimit limit) {
        return new RoutingConfig(
                numExperts,
                numExpertsPerTok,
                scoringFunc,
                scoreCorrectionBias,
                limit,
                normTopKProb,
                normOrder,
                routedScalingFactor,
                noise);
    }

    /** The same with the weights multiplied in the end. */
    public RoutingConfig scaledBy(float factor) {
        return new RoutingConfig(
                numExperts,
                numExpertsPerTok,
                scoringFunc,
                scoreCorrectionBias,
                groupLimit,
                normTopKProb,
                normOrder,
                factor,
                noise);
    }

    /** The same with noise. */
    public RoutingConfig withNoise(RouterNoise routerNoise) {
        return new RoutingConfig(
                numExperts,
                numExpertsPerTok,
                scoringFunc,
                scoreCorrectionBias,
                groupLimit,
                normTopKProb,
                normOrder,
                routedScalingFactor,
                routerNoise);
    }
}
