package io.flinkmoe.testing;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.Outcome;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * The rules of a capacity window, told once more as plainly as they can be: what the operators must
 * do with T tokens that stand in order of (timestamp, stream, position).
 */
public final class WindowRules {

    /** [T, k]: what became of each choice, and the attempt that settled it. */
    public final Outcome[] outcomes;

    public final int[] attempts;

    /**
     * @param preferences [T, N], each token's experts, the most probable first
     * @param scores [T, N], by expert, what a choice is worth to the order
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

    private static int expert(int[] preferences, int choice, int n, int k, int offset) {
        return preferences[choice / k * n + choice % k + offset];
    }
}
