// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import io.flinkmoe.routing.TopKRouter;

/**
 * The capacity of a golden case as options of the layer, and what the result of the reference must
 * be compared with. A group (a sequence of HF Switch) is one window: the timestamp of a token is
 * its row.
 */
final class CapacityRule {

    private final GoldenCase golden;
    private final int n;
    private final int k;
    private final int tokens;

    CapacityRule(GoldenCase golden) {
        this.golden = golden;
        this.n = golden.integer("num_experts");
        this.k = golden.has("top_k") ? golden.integer("top_k") : n;
        this.tokens = golden.integer("tokens");
    }

    /** What is compared, over all windows. */
    static final class Found {
        final int[] ids;
        final int[] slots;
        final int[] dropped;
        final float[] weights;
        final int[] requested;
        final int[] executed;
        final int[] assignedRanks;
        final int[] preferences;

        private Found(int tokens, int k, int n) {
            this.ids = new int[tokens * k];
            this.slots = new int[tokens * k];
            this.dropped = new int[tokens * k];
            this.weights = new float[tokens * k];
            this.requested = new int[n];
            this.executed = new int[n];
            this.assignedRanks = new int[tokens * k];
            this.preferences = new int[tokens * n];
        }
    }

    /** Whether a case has a capacity. */
    static boolean appliesTo(GoldenCase golden) {
        return golden.has("capacity");
    }

    /** The capacity as the operators and the reference take it. */
    Capacity capacity() {
        checkCapacity();
        return AtWindowClose.of(new TumblingWindows(rowsOfGroup()), formula(), order())
                .withWeightRule(weightRule())
                .withOverflowRounds(overflowRounds());
    }

    /** The tokens of the case, in order of their rows. */
    TokenMetadata metadata() {
        TokenMetadata rows = TokenMetadata.ofRows(tokens);
        return new TokenMetadata(rows.positions(), rows.streams(), rows.positions());
    }

    int rowsOfGroup() {
        return tokens / (golden.has("groups") ? golden.integer("groups") : 1);
    }

    /** Rounds after the first attempt, as far as there are experts to try. */
    int overflowRounds() {
        return golden.has("max_attempts")
                ? Math.min(golden.integer("max_attempts") - 1, (n - 1) / k)
                : 0;
    }

    private boolean dropsTokens() {
        return !golden.has("drop_tokens") || golden.flag("drop_tokens");
    }

    /** C of a window by the system's formula must be the one in force. */
    private void checkCapacity() {
        int capacity = formula().capacity(rowsOfGroup(), n, k);
        if (dropsTokens() && capacity != golden.integer("capacity")) {
            throw new AssertionError(
                    "%s: capacity: expected %d, found %d"
                            .formatted(golden, golden.integer("capacity"), capacity));
        }
    }

    CapacityFormula formula() {
        if (!dropsTokens()) {
            return CapacityFormula.fixed(Integer.MAX_VALUE);
        }
        double factor = golden.has("capacity_factor") ? golden.number("capacity_factor") : 0;
        return switch (golden.system()) {
            case "switch", "next_expert" -> CapacityFormula.fixed(golden.integer("capacity"));
            case "switch_mesh", "st_moe" ->
                    CapacityFormula.switchMesh(factor, golden.integer("min_capacity"));
            case "tokens_choose" ->
                    CapacityFormula.tokensChoose(factor, golden.integer("min_capacity"));
            case "gshard" -> CapacityFormula.gshard(factor);
            case "vmoe" -> CapacityFormula.vmoe(factor);
            case "deepspeed_top1", "deepspeed_top2", "deepspeed_topk", "deepspeed_residual" ->
                    CapacityFormula.deepspeed(factor, golden.integer("min_capacity"));
            case "openmoe" -> CapacityFormula.openMoe(factor);
            case "expert_choice" -> CapacityFormula.expertChoice(factor);
            case "nllb_moe" -> {
                double fraction = golden.number("eval_capacity_token_fraction");
                yield fraction > 0
                        ? CapacityFormula.nllbEval(fraction)
                        : CapacityFormula.nllbTrain();
            }
            default -> throw new IllegalArgumentException(golden + ": no capacity formula");
        };
    }

    /** The router normalizes where a survivor keeps its share: see GoldenRouting. */
    WeightRule weightRule() {
        return switch (golden.system()) {
            case "gshard" ->
                    golden.flag("legacy_mtf_behavior") ? WeightRule.ROUTER : WeightRule.SURVIVORS;
            case "nllb_moe" ->
                    golden.text("normalise").equals("before dropping")
                            ? WeightRule.ROUTER
                            : WeightRule.SURVIVORS;
            case "deepspeed_top2", "deepspeed_topk" -> WeightRule.SURVIVORS;
            case "expert_choice" ->
                    new AssignmentRule(golden).overTokens() ? WeightRule.WINDOW : WeightRule.ROUTER;
            default -> WeightRule.ROUTER;
        };
    }

    private boolean selectsAtRandom() {
        return golden.has("use_rts") && golden.flag("use_rts");
    }

    AdmissionOrder order() {
        if (selectsAtRandom()) {
            return AdmissionOrder.RANDOM;
        }
        if (golden.system().equals("deepspeed_topk") || golden.system().equals("expert_choice")) {
            return AdmissionOrder.GATE_SCORE;
        }
        boolean prioritized = golden.has("batch_prioritized") && golden.flag("batch_prioritized");
        return prioritized ? AdmissionOrder.TOKEN_PRIORITY : AdmissionOrder.POSITION;
    }

    /** What the case publishes, out of the reference's result. */
    Found found(LayerResult result) {
        Found found = new Found(tokens, k, n);
        new TopKRouter(RoutingConfig.softmax(n, n))
                .route(result.logits(), tokens, found.preferences, new float[tokens * n]);
        float[] scores = Scores.of(ScoringFunc.SOFTMAX, result.logits(), n);
        boolean reroutes = golden.system().equals("next_expert");
        for (int choice = 0; choice < tokens * k; choice++) {
            int expert = result.experts()[choice];
            boolean executed = result.slots()[choice] >= 0;
            int rank = choice % k + result.attempts()[choice] * k;
            found.ids[choice] = reroutes && !executed ? -1 : expert;
            found.slots[choice] = result.slots()[choice];
            found.dropped[choice] = executed ? 0 : 1;
            found.assignedRanks[choice] = executed ? rank : -1;
            if (executed) {
                found.executed[expert]++;
                found.weights[choice] = weight(result, scores, choice);
            }
            for (int tried = choice % k; tried <= rank; tried += k) {
                found.requested[reroutes ? found.preferences[choice / k * n + tried] : expert]++;
            }
        }
        return found;
    }

    /** Residual MoE mixes the experts with a dense MLP: its published weights are without that. */
    private float weight(LayerResult result, float[] scores, int choice) {
        return golden.hasTensor("residual.coef_weight")
                ? scores[choice / k * n + result.experts()[choice]]
                : result.weights()[choice];
    }
}
