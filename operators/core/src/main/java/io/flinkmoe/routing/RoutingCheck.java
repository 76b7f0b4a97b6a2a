// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Checks the settings of a {@link RoutingConfig}. A message begins with the name of the field, and
 * says what was found and what is allowed.
 */
@Internal
final class RoutingCheck {

    private RoutingCheck() {}

    static void counts(int numExperts, Integer numExpertsPerTok) {
        if (numExperts < 1 || numExperts > Short.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "num_experts is %d; allowed: 1 to %d".formatted(numExperts, Short.MAX_VALUE));
        }
        if (numExpertsPerTok != null && (numExpertsPerTok < 1 || numExpertsPerTok > numExperts)) {
            throw new IllegalArgumentException(
                    "num_experts_per_tok is %d; allowed: 1 to num_experts, which is %d"
                            .formatted(numExpertsPerTok, numExperts));
        }
    }

    static void scoring(ScoringFunc function, Float sparsemixerEps) {
        if (function == null) {
            throw new IllegalArgumentException(
                    "scoring_func is missing; allowed: softmax, sigmoid, identity, sparsemixer");
        }
        boolean isSparsemixer = function == ScoringFunc.SPARSEMIXER;
        if (isSparsemixer != (sparsemixerEps != null)) {
            throw new IllegalArgumentException(
                    "sparsemixer_eps is %s, but scoring_func is %s; sparsemixer requires it, and other functions do not allow it"
                            .formatted(sparsemixerEps == null ? "missing" : "set", function));
        }
        if (sparsemixerEps != null && !(sparsemixerEps >= 0 && Float.isFinite(sparsemixerEps))) {
            throw new IllegalArgumentException(
                    "sparsemixer_eps is %s; allowed: 0 or more".formatted(sparsemixerEps));
        }
    }

    /** What changes the selection has no meaning where all experts are selected. */
    static void dense(List<Float> bias, GroupLimit limit, RouterNoise noise) {
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

    /** Checks that a list has a finite value per expert; returns a copy, null for null. */
    static List<Float> perExpert(String field, List<Float> values, int numExperts) {
        if (values == null) {
            return null;
        }
        if (values.size() != numExperts) {
            throw new IllegalArgumentException(
                    "%s has %d values; allowed: num_experts, which is %d"
                            .formatted(field, values.size(), numExperts));
        }
        for (int expert = 0; expert < numExperts; expert++) {
            Float value = values.get(expert);
            if (value == null || !Float.isFinite(value)) {
                throw new IllegalArgumentException(
                        "%s[%d] is %s; allowed: finite values".formatted(field, expert, value));
            }
        }
        return List.copyOf(values);
    }

    static void groups(GroupLimit limit, int numExperts, int numExpertsPerTok) {
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

    static int selectable(GroupLimit limit, int numExperts) {
        return numExperts / limit.nGroup() * limit.topkGroup();
    }

    static void norm(boolean normTopKProb, Integer order, Float epsilon, Float floor) {
        if (order != null && order != 1 && order != 2) {
            throw new IllegalArgumentException(
                    "norm_order is %d; allowed: 1 or 2".formatted(order));
        }
        notNegative("norm_epsilon", epsilon, normTopKProb);
        notNegative("norm_floor", floor, normTopKProb);
    }

    private static void notNegative(String field, Float value, boolean normTopKProb) {
        if (value == null) {
            return;
        }
        if (!(value >= 0 && Float.isFinite(value))) {
            throw new IllegalArgumentException(
                    "%s is %s; allowed: 0 or more".formatted(field, value));
        }
        if (!normTopKProb) {
            throw new IllegalArgumentException(
                    "%s is set, but norm_topk_prob is false; remove one of the two"
                            .formatted(field));
        }
    }

    static void finite(String field, Float value) {
        if (value != null && !Float.isFinite(value)) {
            throw new IllegalArgumentException(
                    "%s is %s; allowed: finite values".formatted(field, value));
        }
    }

    static void positive(String field, Float value) {
        if (value != null && !(value > 0 && Float.isFinite(value))) {
            throw new IllegalArgumentException(
                    "%s is %s; allowed: finite values above 0".formatted(field, value));
        }
    }

    static void noise(RouterNoise noise, Integer numExpertsPerTok) {
        if (noise != null
                && noise.isOfSecondChoice()
                && (numExpertsPerTok == null || numExpertsPerTok != 2)) {
            throw new IllegalArgumentException(
                    "noise is %s, but num_experts_per_tok is %d; allowed: 2"
                            .formatted(noise.kind(), numExpertsPerTok));
        }
    }
}
