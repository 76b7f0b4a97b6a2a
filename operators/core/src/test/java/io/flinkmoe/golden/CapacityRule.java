package io.flinkmoe.golden;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.NextExpert;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.Survivors;
import io.flinkmoe.capacity.WindowAdmission;
import io.flinkmoe.reference.ReferenceModel.ChoiceRule;
import io.flinkmoe.reference.ReferenceModel.LayerResult;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import io.flinkmoe.routing.TopKRouter;
import java.util.Arrays;

/**
 * What a golden case's capacity makes of the choices, window by window (a group, or a sequence of
 * HF Switch, is one window), and what it must be compared with, over all windows.
 */
final class CapacityRule implements ChoiceRule {

    private final GoldenCase golden;
    private final int n;
    private final int k;
    private int firstToken;

    final int[] ids;
    final int[] slots;
    final int[] dropped;
    final float[] weights;
    final int[] requested;
    final int[] executed;
    final int[] assignedRanks;
    final int[] preferences;

    CapacityRule(GoldenCase golden) {
        this.golden = golden;
        this.n = golden.integer("num_experts");
        this.k = golden.has("top_k") ? golden.integer("top_k") : n;
        int tokens = golden.integer("tokens");
        this.ids = new int[tokens * k];
        this.slots = new int[tokens * k];
        this.dropped = new int[tokens * k];
        this.weights = new float[tokens * k];
        this.requested = new int[n];
        this.executed = new int[n];
        this.assignedRanks = new int[tokens * k];
        this.preferences = new int[tokens * n];
    }

    /** Whether a case has a capacity for the choices of its tokens. */
    static boolean appliesTo(GoldenCase golden) {
        return golden.has("capacity") && !golden.system().equals("expert_choice");
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

    /** C of a window of T tokens, by the system's formula; it must be the one in force. */
    private int capacity(int tokens) {
        int capacity = formula().capacity(tokens, n, k);
        if (dropsTokens() && capacity != golden.integer("capacity")) {
            throw new AssertionError(
                    "%s: capacity: expected %d, found %d"
                            .formatted(golden, golden.integer("capacity"), capacity));
        }
        return capacity;
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

    Survivors survivors() {
        return switch (golden.system()) {
            case "st_moe" -> Survivors.SHARE_OF_ALL;
            case "gshard" ->
                    golden.flag("legacy_mtf_behavior")
                            ? Survivors.SHARE_OF_ALL
                            : Survivors.SHARE_OF_SURVIVORS;
            case "nllb_moe" ->
                    golden.text("normalise").equals("before dropping")
                            ? Survivors.SHARE_OF_ALL
                            : Survivors.SHARE_OF_SURVIVORS;
            case "deepspeed_top2", "deepspeed_topk" -> Survivors.SHARE_OF_SURVIVORS;
            default -> Survivors.RAW;
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

    @Override
    public void apply(LayerResult routed) {
        if (golden.system().equals("next_expert")) {
            tryNextExperts(routed);
        } else {
            admit(routed);
        }
        firstToken += routed.experts().length / k;
    }

    private void admit(LayerResult routed) {
        int choices = routed.experts().length;
        float[] all = Scores.of(ScoringFunc.SOFTMAX, routed.logits(), n);
        float[] scores = new float[choices];
        float[] keys = new float[choices];
        int[] asked = routed.experts().clone();
        for (int choice = 0; choice < choices; choice++) {
            int at = choice / k * n + routed.experts()[choice];
            scores[choice] = all[at];
            keys[choice] =
                    selectsAtRandom()
                            ? golden.floats("noise.rts_uniform")[firstToken * n + at]
                            : all[at];
            if (routed.outcomes()[choice] != Outcome.EXECUTED.code()) {
                asked[choice] = -1; // The random second policy left it out.
            }
        }
        WindowAdmission admission =
                WindowAdmission.of(asked, keys, n, k, capacity(choices / k), order());
        float[] expected = survivors().weights(scores, admission.executed(), k);
        for (int choice = 0; choice < choices; choice++) {
            boolean runs = admission.executed()[choice];
            routed.outcomes()[choice] = (runs ? Outcome.EXECUTED : Outcome.OVERFLOWED).code();
            if (survivors() == Survivors.SHARE_OF_SURVIVORS) {
                routed.weights()[choice] = expected[choice];
            }
            record(choice, routed.experts()[choice], expected[choice], admission.slot()[choice]);
        }
        count(admission.requestedPerExpert(), admission.tokensPerExpert());
    }

    private void tryNextExperts(LayerResult routed) {
        int tokens = routed.experts().length / k;
        int[] preferred = new int[tokens * n];
        float[] scores = new float[tokens * n];
        new TopKRouter(RoutingConfig.softmax(n, n))
                .route(routed.logits(), tokens, preferred, scores);
        int rounds = golden.integer("max_attempts") - 1;
        NextExpert placed =
                NextExpert.byRounds(
                        preferred, scores, n, k, rounds, capacity(tokens), AdmissionOrder.POSITION);
        float[] weightsUsed = placed.weights(scores, k);
        for (int choice = 0; choice < tokens * k; choice++) {
            int rank = placed.assignedRank()[choice];
            Outcome outcome =
                    rank < 0
                            ? Outcome.OVERFLOWED
                            : rank == choice % k ? Outcome.EXECUTED : Outcome.REROUTED;
            routed.outcomes()[choice] = outcome.code();
            routed.weights()[choice] = weightsUsed[choice];
            if (rank >= 0) {
                routed.experts()[choice] = placed.expert()[choice];
            }
            record(choice, placed.expert()[choice], weightsUsed[choice], placed.slot()[choice]);
            assignedRanks[firstToken * k + choice] = rank;
        }
        System.arraycopy(preferred, 0, preferences, firstToken * n, preferred.length);
        count(placed.requestedPerExpert(), placed.tokensPerExpert());
    }

    private void record(int choice, int id, float weight, int slot) {
        int at = firstToken * k + choice;
        ids[at] = id;
        weights[at] = weight;
        slots[at] = slot;
        dropped[at] = slot < 0 ? 1 : 0;
    }

    private void count(int[] requestedInWindow, int[] executedInWindow) {
        Arrays.setAll(requested, expert -> requested[expert] + requestedInWindow[expert]);
        Arrays.setAll(executed, expert -> executed[expert] + executedInWindow[expert]);
    }
}
