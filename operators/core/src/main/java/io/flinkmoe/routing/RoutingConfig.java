// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import java.util.List;
import java.util.function.Consumer;
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
 * @param normEpsilon is added to the norm that the weights are divided by (LFM2's 1e-6); null for 0
 * @param normFloor the weights are divided by the norm or this, whichever is larger (ERNIE's {@code
 *     moe_norm_min}); null for 0
 * @param selectOn what the correction bias is added to and the groups are scored by; null for
 *     scores
 * @param logitSoftcap c: logits z become c · tanh(z / c) before all else; null for none
 * @param perExpertScale [N], multiplies the weights of each expert in the end (Gemma 4's {@code
 *     per_expert_scale}); null for 1
 * @param sparsemixerEps ε of the scoring function sparsemixer, and only of that one; null otherwise
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
        RouterNoise noise,
        Float normEpsilon,
        Float normFloor,
        SelectOn selectOn,
        Float logitSoftcap,
        List<Float> perExpertScale,
        Float sparsemixerEps) {

    /** What experts are selected by. */
    public enum SelectOn {
        /** The scores. */
        SCORES,
        /** The logits, whatever the scoring function. */
        LOGITS
    }

    public RoutingConfig {
        RoutingCheck.counts(numExperts, numExpertsPerTok);
        RoutingCheck.scoring(scoringFunc, sparsemixerEps);
        if (numExpertsPerTok == null) {
            RoutingCheck.dense(scoreCorrectionBias, groupLimit, noise);
        }
        scoreCorrectionBias =
                RoutingCheck.perExpert("e_score_correction_bias", scoreCorrectionBias, numExperts);
        perExpertScale = RoutingCheck.perExpert("per_expert_scale", perExpertScale, numExperts);
        if (groupLimit != null) {
            RoutingCheck.groups(groupLimit, numExperts, numExpertsPerTok);
        }
        RoutingCheck.norm(normTopKProb, normOrder, normEpsilon, normFloor);
        RoutingCheck.finite("routed_scaling_factor", routedScalingFactor);
        RoutingCheck.positive("logit_softcap", logitSoftcap);
        RoutingCheck.noise(noise, numExpertsPerTok);
    }

    /** The same settings without those that only some of today's models have. */
    public RoutingConfig(
            int numExperts,
            Integer numExpertsPerTok,
            ScoringFunc scoringFunc,
            List<Float> scoreCorrectionBias,
            GroupLimit groupLimit,
            boolean normTopKProb,
            Integer normOrder,
            Float routedScalingFactor,
            RouterNoise noise) {
        this(
                numExperts,
                numExpertsPerTok,
                scoringFunc,
                scoreCorrectionBias,
                groupLimit,
                normTopKProb,
                normOrder,
                routedScalingFactor,
                noise,
                null,
                null,
                null,
                null,
                null,
                null);
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
        return groupLimit == null ? numExperts : RoutingCheck.selectable(groupLimit, numExperts);
    }

    /** Whether experts are selected by their logits, without regard to scores. */
    public boolean selectsOnLogits() {
        return selectOn == SelectOn.LOGITS;
    }

    /** Softmax over all experts, the k largest, weights as they are: the plainest router. */
    public static RoutingConfig softmax(int numExperts, int numExpertsPerTok) {
        return scored(numExperts, numExpertsPerTok, ScoringFunc.SOFTMAX);
    }

    /** A dense gate: softmax over all experts, all of which run (Ma et al. 2018, MMoE). */
    public static RoutingConfig dense(int numExperts) {
        return scored(numExperts, null, ScoringFunc.SOFTMAX);
    }

    /** Each score by itself, the k largest, weights as they are. */
    public static RoutingConfig sigmoid(int numExperts, int numExpertsPerTok) {
        return scored(numExperts, numExpertsPerTok, ScoringFunc.SIGMOID);
    }

    /** Phi-3.5-MoE's: each choice is weighed among the experts close to it. */
    public static RoutingConfig sparsemixer(int numExperts, int numExpertsPerTok, float eps) {
        Fields fields = new Fields();
        fields.numExperts = numExperts;
        fields.numExpertsPerTok = numExpertsPerTok;
        fields.scoringFunc = ScoringFunc.SPARSEMIXER;
        fields.sparsemixerEps = eps;
        return fields.build();
    }

    private static RoutingConfig scored(int numExperts, Integer k, ScoringFunc function) {
        return new RoutingConfig(numExperts, k, function, null, null, false, null, null, null);
    }

    /** Mixtral's: softmax over all experts, the k most probable, weights that sum to 1. */
    public static RoutingConfig mixtral(int numExperts, int numExpertsPerTok) {
        return softmax(numExperts, numExpertsPerTok).normalized(true);
    }

    /** The same with or without division of the weights by their sum. */
    public RoutingConfig normalized(boolean normalize) {
        return with(
                fields -> {
                    fields.normTopKProb = normalize;
                    fields.normOrder = null;
                });
    }

    /** The same with the weights divided by their p-norm. */
    public RoutingConfig normalizedBy(int order) {
        return with(
                fields -> {
                    fields.normTopKProb = true;
                    fields.normOrder = order;
                });
    }

    /**
     * The same with another denominator of the weights: max(norm + epsilon, floor).
     *
     * @param epsilon null for 0
     * @param floor null for 0
     */
    public RoutingConfig withDenominator(Float epsilon, Float floor) {
        return with(
                fields -> {
                    fields.normEpsilon = epsilon;
                    fields.normFloor = floor;
                });
    }

    /** The same with a bias for the selection, [N]. */
    public RoutingConfig biased(List<Float> bias) {
        return with(fields -> fields.scoreCorrectionBias = bias);
    }

    /** The same with the selection limited to groups. */
    public RoutingConfig limitedTo(GroupLimit limit) {
        return with(fields -> fields.groupLimit = limit);
    }

    /** The same with the weights multiplied in the end. */
    public RoutingConfig scaledBy(float factor) {
        return with(fields -> fields.routedScalingFactor = factor);
    }

    /** The same with the weights of each expert multiplied in the end, [N]; null for none. */
    public RoutingConfig scaledPerExpert(List<Float> scales) {
        return with(fields -> fields.perExpertScale = scales);
    }

    /** The same with the experts selected by something else. */
    public RoutingConfig selectedOn(SelectOn selection) {
        return with(fields -> fields.selectOn = selection);
    }

    /** The same with capped logits; null for none. */
    public RoutingConfig softcapped(Float cap) {
        return with(fields -> fields.logitSoftcap = cap);
    }

    /** The same with noise. */
    public RoutingConfig withNoise(RouterNoise routerNoise) {
        return with(fields -> fields.noise = routerNoise);
    }

    private RoutingConfig with(Consumer<Fields> change) {
        Fields fields = new Fields();
        fields.numExperts = numExperts;
        fields.numExpertsPerTok = numExpertsPerTok;
        fields.scoringFunc = scoringFunc;
        fields.scoreCorrectionBias = scoreCorrectionBias;
        fields.groupLimit = groupLimit;
        fields.normTopKProb = normTopKProb;
        fields.normOrder = normOrder;
        fields.routedScalingFactor = routedScalingFactor;
        fields.noise = noise;
        fields.normEpsilon = normEpsilon;
        fields.normFloor = normFloor;
        fields.selectOn = selectOn;
        fields.logitSoftcap = logitSoftcap;
        fields.perExpertScale = perExpertScale;
        fields.sparsemixerEps = sparsemixerEps;
        change.accept(fields);
        return fields.build();
    }

    /** The components, to change some of them. */
    private static final class Fields {
        private int numExperts;
        private Integer numExpertsPerTok;
        private ScoringFunc scoringFunc;
        private List<Float> scoreCorrectionBias;
        private GroupLimit groupLimit;
        private boolean normTopKProb;
        private Integer normOrder;
        private Float routedScalingFactor;
        private RouterNoise noise;
        private Float normEpsilon;
        private Float normFloor;
        private SelectOn selectOn;
        private Float logitSoftcap;
        private List<Float> perExpertScale;
        private Float sparsemixerEps;

        private RoutingConfig build() {
            return new RoutingConfig(
                    numExperts,
                    numExpertsPerTok,
                    scoringFunc,
                    scoreCorrectionBias,
                    groupLimit,
                    normTopKProb,
                    normOrder,
                    routedScalingFactor,
                    noise,
                    normEpsilon,
                    normFloor,
                    selectOn,
                    logitSoftcap,
                    perExpertScale,
                    sparsemixerEps);
        }
    }
}
