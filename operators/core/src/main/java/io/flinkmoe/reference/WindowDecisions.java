// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.ChoiceRanks;
import io.flinkmoe.capacity.NextExpert;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.RoutedWindow;
import io.flinkmoe.capacity.TokenMetadata;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;

/**
 * The admission of a layer, window by window, with the rule of the operators. No token is late
 * here.
 */
@Internal
final class WindowDecisions {

    private final Capacity capacity;
    private final int numExperts;
    private final int topK;

    /**
     * The choices of T routed tokens.
     *
     * @param experts [T, K], the most probable first; -1 for none
     * @param weights [T, K], of the router
     * @param scores [T, K], what the admission compares
     * @param choiceRanks the ranks of the choices
     */
    record Ranked(
            int ranks, int[] experts, float[] weights, float[] scores, ChoiceRanks choiceRanks) {}

    WindowDecisions(Capacity capacity, int numExperts, int topK) {
        this.capacity = capacity;
        this.numExperts = numExperts;
        this.topK = topK;
    }

    /**
     * Settles the choices that are EXECUTED so far; the router settled the others. Writes the
     * expert, the weight, the attempt and the slot of each.
     *
     * @param rejected [T], why a token is rejected, so that it is no part of any window; else null
     */
    void apply(TokenMetadata tokens, String[] rejected, Ranked ranked, LayerResult result) {
        for (int choice = 0; choice < result.experts().length; choice++) {
            write(choice, choice % topK, ranked, ranked.weights, result);
        }
        for (int[] rows : rowsByWindow(tokens, rejected)) {
            decide(tokens.select(rows), rows, ranked, result);
        }
    }

    private Collection<int[]> rowsByWindow(TokenMetadata tokens, String[] rejected) {
        TreeMap<Long, List<Integer>> windows = new TreeMap<>();
        for (int row = 0; row < tokens.tokens(); row++) {
            if (rejected[row] == null) {
                long start = capacity.windows().startOf(tokens.timestamps()[row]);
                windows.computeIfAbsent(start, s -> new ArrayList<>()).add(row);
            }
        }
        return windows.values().stream()
                .map(rows -> rows.stream().mapToInt(Integer::intValue).toArray())
                .toList();
    }

    private void decide(TokenMetadata tokens, int[] rows, Ranked ranked, LayerResult result) {
        RoutedWindow window = window(tokens, rows, ranked, result);
        float[] weights = ranked.weights;
        if (capacity.weightRule().usesWindowShares()) {
            window = window.withShares(numExperts);
            weights = scattered(window.scores(), rows, ranked);
        }
        NextExpert placed = NextExpert.byRounds(window, numExperts, capacity);
        for (int i = 0; i < rows.length * topK; i++) {
            int choice = rows[i / topK] * topK + i % topK;
            if (result.outcomes()[choice] != Outcome.EXECUTED.code()) {
                continue;
            }
            int attempt = placed.attempts()[i];
            boolean admitted = placed.slot()[i] >= 0;
            if (!admitted) {
                result.outcomes()[choice] = Outcome.OVERFLOWED.code();
            } else if (attempt > 0) {
                result.outcomes()[choice] = Outcome.REROUTED.code();
            }
            result.attempts()[choice] = (byte) attempt;
            result.slots()[choice] = placed.slot()[i];
            int rank = admitted ? placed.assignedRank()[i] : i % topK;
            write(choice, rank, ranked, weights, result);
        }
    }

    /** The tokens of a window; a choice that the router settled tries no expert. */
    private RoutedWindow window(
            TokenMetadata tokens, int[] rows, Ranked ranked, LayerResult result) {
        int ranks = ranked.ranks;
        int[] experts = new int[rows.length * ranks];
        float[] scores = new float[rows.length * ranks];
        for (int i = 0; i < experts.length; i++) {
            int row = rows[i / ranks];
            int choice = row * topK + i % ranks % topK;
            boolean settled = result.outcomes()[choice] != Outcome.EXECUTED.code();
            experts[i] = settled ? -1 : ranked.experts[row * ranks + i % ranks];
            scores[i] = ranked.scores[row * ranks + i % ranks];
        }
        return new RoutedWindow(
                tokens, topK, experts, scores, ranked.choiceRanks.select(rows, topK));
    }

    private static float[] scattered(float[] ofWindow, int[] rows, Ranked ranked) {
        float[] all = new float[ranked.weights.length];
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(ofWindow, i * ranked.ranks, all, rows[i] * ranked.ranks, ranked.ranks);
        }
        return all;
    }

    private void write(int choice, int rank, Ranked ranked, float[] weights, LayerResult result) {
        int at = choice / topK * ranked.ranks + rank;
        result.experts()[choice] = ranked.experts[at];
        result.weights()[choice] = weights[at];
    }
}
