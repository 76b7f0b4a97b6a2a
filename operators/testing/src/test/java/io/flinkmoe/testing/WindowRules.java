// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.Outcome;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * The oracle: the rules of a capacity window, written once more as plainly as possible, for T
 * tokens in order of (timestamp, stream, position). It calls nothing of the rule in {@code
 * capacity}.
 */
public final class WindowRules {

    /** [T, k]: what became of each choice, and the attempt that settled it. */
    public final Outcome[] outcomes;

    public final int[] attempts;

    /**
     * @param preferences [T, N], each token's experts, the most probable first
     * @param scores [T, N], by expert, what the order compares
     * @param capacity C, per expert over all rounds
     */
    public WindowRules(
            int[] preferences,
            float[] scores,
            int n,
            int k,
            int rounds,
            int capacity,
            AdmissionOrder order) {
        int choices = preferences.length / n * k;
        outcomes = new Outcome[choices];
        attempts = new int[choices];
        Arrays.fill(outcomes, Outcome.OVERFLOWED);
        int[] used = new int[n];
        for (int round = 0; round <= rounds; round++) {
            int offset = round * k;
            List<Integer> asking = new ArrayList<>();
            for (int choice = 0; choice < choices; choice++) {
                if (outcomes[choice] == Outcome.OVERFLOWED && choice % k + offset < n) {
                    asking.add(choice);
                    attempts[choice] = round;
                }
            }
            Comparator<Integer> byRank = Comparator.comparing(choice -> choice % k);
            Comparator<Integer> byBest =
                    Comparator.comparing(
                            choice -> -scores[choice / k * n + preferences[choice / k * n]]);
            Comparator<Integer> byOwn =
                    Comparator.comparing(
                            choice ->
                                    -scores[
                                            choice / k * n
                                                    + expert(preferences, choice, n, k, offset)]);
            Comparator<Integer> byToken = Comparator.comparing(choice -> choice / k);
            asking.sort(
                    switch (order) {
                        case POSITION -> byRank.thenComparing(byToken);
                        case TOKEN_PRIORITY -> byRank.thenComparing(byBest).thenComparing(byToken);
                        case GATE_SCORE, RANDOM -> byOwn.thenComparing(byToken);
                    });
            for (int choice : asking) {
                int expert = expert(preferences, choice, n, k, offset);
                if (used[expert] < capacity) {
                    used[expert]++;
                    outcomes[choice] = round == 0 ? Outcome.EXECUTED : Outcome.REROUTED;
                }
            }
        }
    }

    /**
     * The weights divided by their sum over the executed choices of the token, at least 2⁻²³; 0 for
     * the others.
     *
     * @param weights [T, k]
     */
    public float[] shares(float[] weights, int k) {
        float[] shares = new float[weights.length];
        for (int choice = 0; choice < weights.length; choice++) {
            double sum = 0;
            for (int other = choice - choice % k; other < choice - choice % k + k; other++) {
                sum += outcomes[other] == Outcome.OVERFLOWED ? 0 : weights[other];
            }
            if (outcomes[choice] != Outcome.OVERFLOWED) {
                shares[choice] = (float) (weights[choice] / Math.max(sum, Math.pow(2, -23)));
            }
        }
        return shares;
    }

    private static int expert(int[] preferences, int choice, int n, int k, int offset) {
        return preferences[choice / k * n + choice % k + offset];
    }
}
