// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import io.flinkmoe.capacity.NextExpert;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.Draws;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.reference.BalancedAssignment;
import io.flinkmoe.reference.ChoiceRule;
import io.flinkmoe.reference.ExpertChoice;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.OptimalAssignment;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.reference.Sinkhorn;
import io.flinkmoe.routing.GroupLimit;
import io.flinkmoe.routing.GroupLimit.GroupMask;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import io.flinkmoe.routing.TopKRouter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/** Runs the layer of a golden case through a bundle and the reference, and compares all of it. */
final class GoldenLayer {

    private final GoldenCase golden;
    private final Path directory;
    private final int tokens;
    private final int n;
    private final RoutingConfig routing;
    private final CapacityRule capacity;
    private final AssignmentRule assignment;

    /** All windows' results, one after the other. */
    private final List<LayerResult> windows = new ArrayList<>();

    GoldenLayer(GoldenCase golden, Path directory) {
        this.golden = golden;
        this.directory = directory;
        this.tokens = golden.integer("tokens");
        this.n = golden.integer("num_experts");
        this.routing = GoldenRouting.of(golden);
        this.capacity = CapacityRule.appliesTo(golden) ? new CapacityRule(golden) : null;
        this.assignment = AssignmentRule.appliesTo(golden) ? new AssignmentRule(golden) : null;
    }

    void check() throws Exception {
        if (capacity != null) {
            runWithCapacity();
        } else {
            ChoiceRule rule = assignment == null ? layer -> {} : assignment;
            run(directory.resolve("bundle"), routing, rule, windows);
        }
        float[] logits = all(LayerResult::logits);
        int[] ids = allInts(LayerResult::experts);
        float[] weights = all(LayerResult::weights);
        if (golden.hasTensor("logits")) {
            golden.assertClose("logits", logits, 1e-5);
        }
        checkScores(logits);
        checkNoise(logits);
        if (golden.system().equals("expert_choice")) {
            checkExpertChoice(windows.get(0));
        } else if (capacity != null) {
            checkCapacity(capacity.found(windows.get(0)), logits);
        } else {
            golden.assertIds("topk_ids", ids, weights);
            golden.assertWeights(weights);
            golden.assertTokensPerExpert(executedPerExpert(ids));
            checkAssignment(logits, ids);
        }
        golden.assertOut(all(LayerResult::out));
        if (golden.hasTensor("zeromask.out")) {
            checkZeroMask();
        }
        GoldenLosses.checkAuxiliary(golden, logits, weights);
    }

    private void runWithCapacity() throws Exception {
        GoldenBundle layer = new GoldenBundle(golden);
        Bundle written = layer.write(directory.resolve("bundle"), routing);
        Draws draws = (streams, positions, index) -> RecordedNoise.of(golden);
        try (ReferenceModel model = ReferenceModel.open(written, capacity.capacity())) {
            windows.addAll(model.forward(layer.tokens(), capacity.metadata(), draws).layers());
        }
    }

    private void run(Path bundle, RoutingConfig config, ChoiceRule rule, List<LayerResult> results)
            throws Exception {
        GoldenBundle layer = new GoldenBundle(golden);
        Bundle written = layer.write(bundle, config);
        NoiseSource noise = config.noise() == null ? null : RecordedNoise.of(golden);
        float[] x = layer.tokens();
        int groups = golden.has("groups") ? golden.integer("groups") : 1;
        int rows = tokens / groups;
        int width = layer.inputWidth();
        try (ReferenceModel model = ReferenceModel.open(written)) {
            for (int from = 0; from < tokens; from += rows) {
                float[] window = Arrays.copyOfRange(x, from * width, (from + rows) * width);
                NoiseSource draws = noise == null ? null : noise.from(from);
                results.add(model.forward(window, rows, draws, rule).layers().get(0));
            }
        }
    }

    private void checkScores(float[] logits) {
        if (!golden.hasTensor("scores")) {
            return;
        }
        boolean overTokens =
                golden.system().equals("expert_choice") && new AssignmentRule(golden).overTokens();
        float[] scores =
                overTokens
                        ? transposed(Scores.of(ScoringFunc.SOFTMAX, transposed(logits, n), tokens))
                        : Scores.of(routing.scoringFunc(), logits, n);
        golden.assertClose("scores", scores, 2e-6);
        if (golden.hasTensor("selection_scores")) {
            golden.assertClose("selection_scores", selectionScores(routing, scores), 2e-6);
        }
    }

    private float[] transposed(float[] columns) {
        return transposed(columns, tokens);
    }

    private static float[] transposed(float[] matrix, int width) {
        float[] result = new float[matrix.length];
        int height = matrix.length / width;
        for (int i = 0; i < matrix.length; i++) {
            result[i % width * height + i / width] = matrix[i];
        }
        return result;
    }

    /** Scores after bias and group mask, told from the definition. */
    private float[] selectionScores(RoutingConfig config, float[] scores) {
        float[] selection = scores.clone();
        GroupLimit limit = config.groupLimit();
        for (int i = 0; i < selection.length; i++) {
            if (config.scoreCorrectionBias() != null) {
                selection[i] += config.scoreCorrectionBias().get(i % n);
            }
        }
        if (limit == null) {
            return selection;
        }
        int size = n / limit.nGroup();
        for (int token = 0; token < tokens; token++) {
            double[] groupScores = new double[limit.nGroup()];
            for (int group = 0; group < limit.nGroup(); group++) {
                int first = token * n + group * size;
                float[] sorted = Arrays.copyOfRange(selection, first, first + size);
                Arrays.sort(sorted);
                groupScores[group] =
                        limit.groupScore() == GroupLimit.GroupScore.MAX
                                ? sorted[size - 1]
                                : sorted[size - 1] + sorted[size - 2];
            }
            for (int group = 0; group < limit.nGroup(); group++) {
                int better = 0;
                for (int other = 0; other < limit.nGroup(); other++) {
                    boolean wins = groupScores[other] > groupScores[group];
                    boolean first = groupScores[other] == groupScores[group] && other < group;
                    better += wins || first ? 1 : 0;
                }
                if (better >= limit.topkGroup()) {
                    int first = token * n + group * size;
                    float mask = limit.mask() == GroupMask.ZERO ? 0 : Float.NEGATIVE_INFINITY;
                    Arrays.fill(selection, first, first + size, mask);
                }
            }
        }
        return selection;
    }

    /**
     * Noisy top-k: the logits without noise, and the deviations, by the noise that was recorded.
     */
    private void checkNoise(float[] logits) throws Exception {
        if (!golden.hasTensor("logits_clean")) {
            return;
        }
        float[] deviations = golden.floats("noise_stddev");
        float[] clean = logits.clone();
        if (golden.hasTensor("noise.normal")) {
            float[] normal = golden.floats("noise.normal");
            for (int i = 0; i < clean.length; i++) {
                clean[i] -= normal[i] * deviations[i];
            }
        }
        golden.assertClose("logits_clean", clean, 1e-5);
        golden.floats("router.noise_weight");
    }

    private void checkCapacity(CapacityRule.Found found, float[] logits) {
        golden.assertIds("topk_ids", found.ids, found.weights);
        golden.assertWeights(found.weights);
        golden.assertIds("topk_slot", found.slots);
        golden.assertIds("topk_dropped", found.dropped);
        golden.assertTokensPerExpert(found.executed);
        if (golden.hasTensor("requested_per_expert")) {
            golden.assertIds("requested_per_expert", found.requested);
        }
        if (golden.system().equals("next_expert")) {
            golden.assertIds("assigned_rank", found.assignedRanks);
            golden.assertIds("preference_order", found.preferences);
            checkSequential(logits);
        }
    }

    /** The form that places token by token. */
    private void checkSequential(float[] logits) {
        int groups = golden.has("groups") ? golden.integer("groups") : 1;
        int rows = tokens / groups;
        int rounds = golden.integer("max_attempts") - 1;
        int[] ids = new int[tokens];
        int[] slots = new int[tokens];
        float[] weights = new float[tokens];
        List<LayerResult> results = new ArrayList<>();
        for (int from = 0; from < tokens; from += rows) {
            int[] preferred = new int[rows * n];
            float[] scores = new float[rows * n];
            float[] window = Arrays.copyOfRange(logits, from * n, (from + rows) * n);
            new TopKRouter(RoutingConfig.softmax(n, n)).route(window, rows, preferred, scores);
            NextExpert placed =
                    NextExpert.sequential(
                            preferred, scores, n, 1, rounds, golden.integer("capacity"));
            System.arraycopy(placed.expert(), 0, ids, from, rows);
            System.arraycopy(placed.slot(), 0, slots, from, rows);
            System.arraycopy(placed.weights(scores, 1), 0, weights, from, rows);
        }
        golden.assertIds("sequential.topk_ids", ids);
        golden.assertIds("sequential.topk_slot", slots);
        golden.assertClose("sequential.topk_weights", weights, 2e-6);
        int[] next = {0};
        ChoiceRule rule =
                routed -> {
                    for (int choice = 0; choice < routed.experts().length; choice++) {
                        int token = next[0]++;
                        routed.experts()[choice] = Math.max(ids[token], 0);
                        routed.weights()[choice] = weights[token];
                        Outcome outcome = ids[token] < 0 ? Outcome.OVERFLOWED : Outcome.EXECUTED;
                        routed.outcomes()[choice] = outcome.code();
                    }
                };
        try {
            run(directory.resolve("sequential"), routing, rule, results);
        } catch (Exception e) {
            throw new AssertionError(golden + ": the sequential form does not run", e);
        }
        golden.assertClose("sequential.out", concat(results, LayerResult::out), 1e-5);
    }

    /** The form of the paper, and that the capacity has executed the same with the same weights. */
    private void checkExpertChoice(LayerResult result) {
        ExpertChoice chosen = new AssignmentRule(golden).expertChoice(result.logits());
        golden.assertIds("ec.token_ids", chosen.tokenIds());
        golden.assertClose("ec.weights", chosen.weights(), 2e-6);
        golden.assertIds("experts_per_token", chosen.expertsPerToken());
        float[] expected = new float[tokens * n];
        int capacityPerExpert = chosen.tokenIds().length / n;
        for (int pick = 0; pick < chosen.tokenIds().length; pick++) {
            expected[chosen.tokenIds()[pick] * n + pick / capacityPerExpert] =
                    chosen.weights()[pick];
        }
        float[] found = new float[tokens * n];
        for (int choice = 0; choice < found.length; choice++) {
            if (result.slots()[choice] >= 0) {
                found[choice / n * n + result.experts()[choice]] = result.weights()[choice];
            }
        }
        if (!Arrays.equals(found, expected)) {
            throw new AssertionError(golden + ": the capacity executes other choices");
        }
    }

    private void checkAssignment(float[] logits, int[] ids) {
        if (golden.hasTensor("sinkhorn.plan")) {
            golden.assertClose("sinkhorn.plan", Sinkhorn.plan(logits, n), 1e-5);
        }
        if (golden.hasTensor("base.sort_by_expert")) {
            golden.assertIds("base.sort_by_expert", BalancedAssignment.auction(logits, n));
            golden.assertClose(
                    "aux.assignment_value",
                    new float[] {(float) BalancedAssignment.value(logits, n, ids)},
                    1e-5);
            int[] optimal = OptimalAssignment.of(logits, n);
            golden.assertIds("optimal.ids", optimal);
            golden.assertClose(
                    "aux.optimal_value",
                    new float[] {(float) BalancedAssignment.value(logits, n, optimal)},
                    1e-5);
        }
    }

    /**
     * DeepSeek-V3 as the port that masks with zero computes it. The masked experts of a token all
     * score zero, and which of these equals the port took is torch's affair: so the selection
     * scores of its choice are compared, and weights and output with its choice in force.
     */
    private void checkZeroMask() throws Exception {
        RoutingConfig masked = GoldenRouting.deepseekV3(golden, GroupMask.ZERO);
        float[] logits = all(LayerResult::logits);
        float[] scores = Scores.of(masked.scoringFunc(), logits, n);
        float[] selection = selectionScores(masked, scores);
        int k = masked.numExpertsPerTok();
        int[] found = new int[tokens * k];
        new TopKRouter(masked).route(logits, tokens, found, new float[tokens * k]);
        int[] published = golden.ints("zeromask.topk_ids");
        int[] infinite = allInts(LayerResult::experts);
        List<Integer> differing = new ArrayList<>();
        float[] weights = new float[tokens * k];
        for (int token = 0; token < tokens; token++) {
            if (!Arrays.equals(
                    selected(selection, published, token, k),
                    selected(selection, found, token, k))) {
                throw new AssertionError(
                        "%s: zeromask.topk_ids, row %d: other selection scores"
                                .formatted(golden, token));
            }
            if (!Arrays.equals(sorted(infinite, token, k), sorted(found, token, k))) {
                differing.add(token);
            }
            weigh(masked, scores, published, token, weights);
        }
        golden.assertIds("zeromask.differing_rows", differing.stream().mapToInt(i -> i).toArray());
        golden.assertClose("zeromask.topk_weights", weights, 2e-6);
        List<LayerResult> results = new ArrayList<>();
        ChoiceRule theirs =
                routed -> {
                    System.arraycopy(published, 0, routed.experts(), 0, published.length);
                    System.arraycopy(weights, 0, routed.weights(), 0, weights.length);
                };
        run(directory.resolve("zeromask"), masked, theirs, results);
        golden.assertClose("zeromask.out", results.get(0).out(), 1e-5);
    }

    /** The weights of a token's given choice, told from the definition. */
    private void weigh(
            RoutingConfig config, float[] scores, int[] ids, int token, float[] weights) {
        int k = config.numExpertsPerTok();
        double sum = 0;
        for (int choice = token * k; choice < token * k + k; choice++) {
            sum += scores[token * n + ids[choice]];
        }
        for (int choice = token * k; choice < token * k + k; choice++) {
            double share = scores[token * n + ids[choice]] / (config.normTopKProb() ? sum : 1);
            weights[choice] = (float) (share * config.routedScalingFactor());
        }
    }

    /** The selection scores of a token's choices, ascending. */
    private float[] selected(float[] selection, int[] ids, int token, int k) {
        float[] scores = new float[k];
        for (int rank = 0; rank < k; rank++) {
            scores[rank] = selection[token * n + ids[token * k + rank]];
        }
        Arrays.sort(scores);
        return scores;
    }

    private static int[] sorted(int[] ids, int token, int k) {
        int[] row = Arrays.copyOfRange(ids, token * k, token * k + k);
        Arrays.sort(row);
        return row;
    }

    private int[] executedPerExpert(int[] ids) {
        int[] counts = new int[n];
        for (int id : ids) {
            counts[id]++;
        }
        return counts;
    }

    private float[] all(Function<LayerResult, float[]> part) {
        return concat(windows, part);
    }

    private static float[] concat(List<LayerResult> results, Function<LayerResult, float[]> part) {
        int length = results.stream().mapToInt(result -> part.apply(result).length).sum();
        float[] all = new float[length];
        int at = 0;
        for (LayerResult result : results) {
            float[] values = part.apply(result);
            System.arraycopy(values, 0, all, at, values.length);
            at += values.length;
        }
        return all;
    }

    private int[] allInts(Function<LayerResult, int[]> part) {
        return windows.stream().flatMapToInt(result -> Arrays.stream(part.apply(result))).toArray();
    }
}
