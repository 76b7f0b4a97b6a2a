// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.reference.BalancedAssignment;
import io.flinkmoe.reference.ChoiceRule;
import io.flinkmoe.reference.ExpertChoice;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.Sinkhorn;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;

/**
 * The systems whose choice depends on the whole batch in training: BASE's balanced assignment and
 * the Sinkhorn plan. Expert Choice is a capacity, here in the form of its paper.
 */
final class AssignmentRule implements ChoiceRule {

    private final GoldenCase golden;
    private final int n;

    AssignmentRule(GoldenCase golden) {
        this.golden = golden;
        this.n = golden.integer("num_experts");
    }

    static boolean appliesTo(GoldenCase golden) {
        return switch (golden.system()) {
            case "sinkhorn", "base_layer" -> golden.flag("training");
            default -> false;
        };
    }

    @Override
    public void apply(LayerResult routed) {
        switch (golden.system()) {
            case "sinkhorn" ->
                    Sinkhorn.route(
                            routed.logits(),
                            n,
                            golden.integer("top_k"),
                            routed.experts(),
                            routed.weights());
            default -> balance(routed);
        }
    }

    ExpertChoice expertChoice(float[] logits) {
        int capacity =
                CapacityFormula.expertChoice(golden.number("capacity_factor"))
                        .capacity(golden.integer("tokens"), n, 1);
        if (capacity != golden.integer("capacity")) {
            throw new AssertionError(
                    "%s: capacity: expected %d, found %d"
                            .formatted(golden, golden.integer("capacity"), capacity));
        }
        return overTokens()
                ? ExpertChoice.overTokens(logits, n, capacity)
                : ExpertChoice.overExperts(logits, n, capacity);
    }

    boolean overTokens() {
        return golden.text("score").equals("softmax over TOKENS per expert");
    }

    private void balance(LayerResult routed) {
        int[] experts =
                BalancedAssignment.expertOfToken(BalancedAssignment.auction(routed.logits(), n), n);
        float[] gates = Scores.of(ScoringFunc.SIGMOID, routed.logits(), n);
        for (int token = 0; token < experts.length; token++) {
            routed.experts()[token] = experts[token];
            routed.weights()[token] = gates[token * n + experts[token]];
        }
    }
}
