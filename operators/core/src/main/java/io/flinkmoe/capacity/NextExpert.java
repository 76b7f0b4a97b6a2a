// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * The admission of a whole window in rounds: a choice that overflows is rerouted to the token's
 * next most probable expert. No-Token-Left-Behind (Fedus et al. 2021, appendix; Mesh TensorFlow
 * {@code _ntlb_gating}), here for any k.
 *
 * <pre>
 *   for round r in 0..rounds:
 *     every choice (t, j) that is not admitted, j in 0..k-1, is a candidate of
 *       the expert of rank j + r·k in the token's order of preference
 *     every expert decides over its candidates: {@link ExpertAdmission}
 * </pre>
 *
 * So two choices of a token never meet, and what overflowed never takes capacity from a choice of
 * an earlier round. A choice whose ranks are used up overflows. Dimensions: T tokens, N experts, k
 * choices.
 *
 * @param attempts [T, k], the last round in which the choice tried an expert
 * @param assignedRank [T, k], the rank (from 0) of the expert that runs the choice; -1: overflowed
 * @param expert [T, k], that expert; -1: overflowed
 * @param slot [T, k], its place in the expert's buffer, numbered on from round to round, in order
 *     of admission; where the order mixes ranks, in order of the tokens, as DeepSpeed numbers the
 *     survivors; -1: overflowed
 * @param requestedPerExpert [N], attempts
 * @param tokensPerExpert [N], choices that are executed
 */
@Internal
public record NextExpert(
        int[] attempts,
        int[] assignedRank,
        int[] expert,
        int[] slot,
        int[] requestedPerExpert,
        int[] tokensPerExpert) {

    /** Any: the tokens given are one window. */
    static final TumblingWindows ONE_WINDOW = new TumblingWindows(Long.MAX_VALUE);

    private NextExpert(int choices, int numExperts) {
        this(
                new int[choices],
                new int[choices],
                new int[choices],
                new int[choices],
                new int[numExperts],
                new int[numExperts]);
        Arrays.fill(assignedRank, -1);
        Arrays.fill(expert, -1);
        Arrays.fill(slot, -1);
    }

    /**
     * Decides over a window.
     *
     * @param numExperts N
     * @param capacity C per expert over all rounds, the rounds, and the order within each
     */
    public static NextExpert byRounds(RoutedWindow window, int numExperts, Capacity capacity) {
        NextExpert result = new NextExpert(window.choices(), numExperts);
        int tokens = window.tokens().tokens();
        int[] remaining = new int[numExperts];
        Arrays.fill(remaining, capacity.expertCapacity(tokens, numExperts, window.topK()));
        for (int round = 0; round < capacity.attempts(); round++) {
            Candidate[][] candidates = result.candidates(window, round);
            for (int e = 0; e < numExperts; e++) {
                ExpertAdmission admission = capacity.admit(candidates[e], remaining[e], round);
                result.place(admission, e, round, window.topK(), capacity.order().mixesRanks());
                remaining[e] = admission.remaining();
            }
        }
        return result;
    }

    /**
     * The published rule, over T tokens in their order.
     *
     * @param preferences [T, N], each token's experts, the most probable first
     * @param scores [T, N], their scores in the same order
     * @param numExperts N
     * @param topK k
     * @param rounds rounds after the first attempt; 0 is plain dropping. The attempts of Mesh
     *     TensorFlow ({@code moe_ntlb_top_k}) are this and one.
     * @param capacity C, for all rounds together
     * @param order within each round; TOKEN_PRIORITY goes by the score of the token's most probable
     *     expert in every round, GATE_SCORE by that of the expert tried (RANDOM likewise)
     */
    public static NextExpert byRounds(
            int[] preferences,
            float[] scores,
            int numExperts,
            int topK,
            int rounds,
            int capacity,
            AdmissionOrder order) {
        int tokens = tokens(preferences, scores, numExperts, topK, rounds);
        return byRounds(
                new RoutedWindow(TokenMetadata.ofRows(tokens), topK, preferences, scores),
                numExperts,
                AtWindowClose.of(ONE_WINDOW, CapacityFormula.fixed(capacity), order)
                        .withOverflowRounds(rounds));
    }

    /**
     * Token by token: each is admitted at once by the most probable expert whose capacity is not
     * used up. A stream would do this that admits first come, first served and tries again at once.
     * It admits other choices than {@link #byRounds}: the second choice of an early token takes
     * capacity from the first choice of a later one. Arguments as there.
     */
    public static NextExpert sequential(
            int[] preferences, float[] scores, int numExperts, int topK, int rounds, int capacity) {
        int tokens = tokens(preferences, scores, numExperts, topK, rounds);
        NextExpert result = new NextExpert(tokens * topK, numExperts);
        int[] used = result.tokensPerExpert;
        for (int choice = 0; choice < tokens * topK; choice++) {
            for (int round = 0; round <= rounds && result.assignedRank[choice] < 0; round++) {
                int rank = Attempt.rank(choice, round, topK);
                if (rank >= numExperts) {
                    break;
                }
                int tried = preferences[choice / topK * numExperts + rank];
                result.attempts[choice] = round;
                result.requestedPerExpert[tried]++;
                if (used[tried] < capacity) {
                    result.place(choice, rank, tried);
                }
            }
        }
        return result;
    }

    /**
     * The weights of the experts used, as they are; 0 for what overflowed.
     *
     * @param scores [T, N], as given to the rule
     * @param topK k
     * @return [T, k]
     */
    public float[] weights(float[] scores, int topK) {
        int numExperts = tokensPerExpert.length;
        float[] weights = new float[assignedRank.length];
        for (int choice = 0; choice < weights.length; choice++) {
            if (assignedRank[choice] >= 0) {
                weights[choice] = scores[choice / topK * numExperts + assignedRank[choice]];
            }
        }
        return weights;
    }

    /** The candidates of each expert in a round, by choice. */
    private Candidate[][] candidates(RoutedWindow window, int round) {
        int[] counts = new int[tokensPerExpert.length];
        for (int choice = 0; choice < expert.length; choice++) {
            int tried = assignedRank[choice] < 0 ? window.expert(choice, round) : -1;
            if (tried >= 0) {
                counts[tried]++;
            }
        }
        Candidate[][] candidates = new Candidate[counts.length][];
        Arrays.setAll(candidates, e -> new Candidate[counts[e]]);
        for (int choice = expert.length - 1; choice >= 0; choice--) {
            int tried = assignedRank[choice] < 0 ? window.expert(choice, round) : -1;
            if (tried >= 0) {
                candidates[tried][--counts[tried]] = window.candidate(choice, round);
                attempts[choice] = round;
                requestedPerExpert[tried]++;
            }
        }
        return candidates;
    }

    private void place(
            ExpertAdmission admission, int admitting, int round, int topK, boolean byToken) {
        int[] choices = new int[admission.admitted()];
        Arrays.setAll(choices, i -> admission.candidates()[i].index());
        if (byToken) {
            Arrays.sort(choices);
        }
        for (int choice : choices) {
            place(choice, Attempt.rank(choice, round, topK), admitting);
        }
    }

    private void place(int choice, int rank, int admitting) {
        assignedRank[choice] = rank;
        expert[choice] = admitting;
        slot[choice] = tokensPerExpert[admitting]++;
    }

    private static int tokens(
            int[] preferences, float[] scores, int numExperts, int topK, int rounds) {
        if (topK < 1 || topK > numExperts || rounds < 0) {
            throw new IllegalArgumentException(
                    "k is %d, overflow.rounds is %d; allowed: k from 1 to N, which is %d, rounds 0 or more"
                            .formatted(topK, rounds, numExperts));
        }
        if (preferences.length % numExperts != 0 || scores.length != preferences.length) {
            throw new IllegalArgumentException(
                    "preferences has %d entries, scores %d; allowed: the same multiple of N, which is %d"
                            .formatted(preferences.length, scores.length, numExperts));
        }
        return preferences.length / numExperts;
    }
}
