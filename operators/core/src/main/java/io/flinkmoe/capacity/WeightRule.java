// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What the outputs of a token's executed choices are multiplied by. The rules compute in double and
 * round to float32 once. A layer's {@code routed_scaling_factor} and {@code expert_scale} multiply
 * after every rule: with ROUTER the router does it, otherwise {@link #apply} does.
 */
@PublicEvolving
public enum WeightRule {
    /**
     * The weights of the router, as they are: Switch, No-Token-Left-Behind, V-MoE, Flaxformer,
     * OpenMoE, DeepSpeed top-1. A router that normalizes does so before anything overflows, so that
     * an executed choice keeps its share: Mesh TensorFlow's top-2 (ST-MoE), legacy GShard. Their
     * 1e-9 in the denominator is lost in float32: the first of k choices has a score of 1/N or
     * more.
     */
    ROUTER(WeightRule::keep),
    /**
     * w / max(Σ w over the executed choices, 2⁻²³), so that they share all the weight: normalized
     * after the others overflowed. DeepSpeed top-2 and top-k, NLLB, GShard that is not legacy. The
     * limit is torch's float32 eps, 1.19e-7: executed choices that are less probable than that stay
     * below 1 together.
     */
    SURVIVORS(WeightRule::divideByTheirSum),
    /**
     * The {@link WindowSoftmax} of the choice, divided by the number of the token's executed
     * choices; scores are the same, undivided. Expert Choice as Mesh TensorFlow has it, where every
     * token chooses every expert.
     */
    WINDOW(WeightRule::divideByTheirNumber);

    private static final double EPSILON = 0x1p-23;

    private final Rule rule;

    /** What happens to the choices of one token, from {@code first} to before {@code end}. */
    private interface Rule {
        void apply(float[] weights, boolean[] executed, int first, int end, double scale);
    }

    /**
     * Whether the rule can be computed: a window's softmax needs all choices of the window,
     * admitted once, by their scores.
     *
     * @param overflowRounds how often a choice tries a next expert
     */
    public boolean allows(AdmissionMode admission, AdmissionOrder order, int overflowRounds) {
        return !usesWindowShares()
                || admission == AdmissionMode.PRIORITIZED
                        && order == AdmissionOrder.GATE_SCORE
                        && overflowRounds <= 0;
    }

    WeightRule(Rule rule) {
        this.rule = rule;
    }

    /**
     * Turns the weights of T tokens into those that the outputs are multiplied by, in place. Every
     * rule but ROUTER sets those of choices that were not executed to 0.
     *
     * @param weights [T, k], of the router for the expert that settled the choice, or its share in
     *     the window if {@link #usesWindowShares()}
     * @param executed [T, k]
     * @param topK k
     * @param scales [T], what multiplies the weights of each token that the rule has replaced; none
     *     for 1
     */
    public void apply(float[] weights, boolean[] executed, int topK, float[] scales) {
        for (int first = 0; first < weights.length; first += topK) {
            double scale = scales.length == 0 ? 1 : scales[first / topK];
            rule.apply(weights, executed, first, first + topK, scale);
        }
    }

    /** Whether the weights are not the router's. */
    public boolean replacesRouterWeights() {
        return this != ROUTER;
    }

    /** Whether the weights come from the experts, which compute them when a window closes. */
    public boolean usesWindowShares() {
        return this == WINDOW;
    }

    private static void keep(
            float[] weights, boolean[] executed, int first, int end, double scale) {}

    private static void divideByTheirSum(
            float[] weights, boolean[] executed, int first, int end, double scale) {
        double sum = 0;
        for (int choice = first; choice < end; choice++) {
            sum += executed[choice] ? weights[choice] : 0;
        }
        double denominator = Math.max(sum, EPSILON);
        for (int choice = first; choice < end; choice++) {
            weights[choice] =
                    executed[choice] ? (float) (weights[choice] / denominator * scale) : 0;
        }
    }

    private static void divideByTheirNumber(
            float[] weights, boolean[] executed, int first, int end, double scale) {
        int number = 0;
        for (int choice = first; choice < end; choice++) {
            number += executed[choice] ? 1 : 0;
        }
        for (int choice = first; choice < end; choice++) {
            weights[choice] =
                    executed[choice] ? (float) ((double) weights[choice] / number * scale) : 0;
        }
    }

    /** As options write it: survivors. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
