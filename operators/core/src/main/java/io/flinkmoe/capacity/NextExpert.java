package io.flinkmoe.capacity;

import java.util.Arrays;

/**
 * Overflow to the next most probable expert: No-Token-Left-Behind (Fedus et al. 2021, appendix;
 * Mesh TensorFlow {@code _ntlb_gating}), here for any k.
 *
 * <pre>
 *   for round r in 0..rounds:
 *     every choice (t, j) without a place, in {@link AdmissionOrder}, j in 0..k-1:
 *       asks the expert of rank j + r·k in the token's order of preference
 * </pre>
 *
 * So two choices of a token never meet, and what overflowed never takes room from a choice of an
 * earlier round. A choice whose ranks are used up overflows. Dimensions: T tokens, N experts, k
 * choices.
 *
 * @param assignedRank [T, k], the rank (from 0) of the expert that runs the choice; -1: overflowed
 * @param expert [T, k], that expert; -1: overflowed
 * @param slot [T, k], its place in the expert's buffer, numbered on from round to round; -1:
 *     overflowed
 * @param requestedPerExpert [N], attempts
 * @param tokensPerExpert [N], choices that are executed
 */
public record NextExpert(
        int[] assignedRank,
        int[] expert,
        int[] slot,
        int[] requestedPerExpert,
        int[] tokensPerExpert) {

    private NextExpert(int choices, int numExperts) {
        this(
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
     * The published rule, round by round.
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
        NextExpert result = new NextExpert(tokens * topK, numExperts);
        int[] asked = new int[tokens * topK];
        float[] keys = new float[tokens * topK];
        for (int round = 0; round <= rounds && round * topK < numExperts; round++) {
            for (int choice = 0; choice < asked.length; choice++) {
                int first = choice / topK * numExperts;
                int rank = choice % topK + round * topK;
                boolean asks = result.assignedRank[choice] < 0 && rank < numExperts;
                asked[choice] = asks ? preferences[first + rank] : -1;
                int keyRank = order.mixesRanks() && asks ? rank : choice % topK;
                keys[choice] = scores[first + keyRank];
            }
            WindowAdmission admission =
                    WindowAdmission.admit(
                            asked, keys, topK, capacity, order, result.tokensPerExpert);
            for (int choice = 0; choice < asked.length; choice++) {
                if (admission.executed()[choice]) {
                    int rank = choice % topK + round * topK;
                    result.place(choice, rank, asked[choice], admission.slot()[choice]);
                }
            }
            for (int e = 0; e < numExperts; e++) {
                result.requestedPerExpert[e] += admission.requestedPerExpert()[e];
            }
        }
        return result;
    }

    /**
     * Token by token: each takes, the moment it comes, the most probable expert that has room left.
     * This is what a stream does that admits first come, first served and tries again at once. It
     * places other tokens than {@link #byRounds}: an early token's second choice takes room from a
     * later token's first. Arguments as there.
     */
    public static NextExpert sequential(
            int[] preferences, float[] scores, int numExperts, int topK, int rounds, int capacity) {
        int tokens = tokens(preferences, scores, numExperts, topK, rounds);
        NextExpert result = new NextExpert(tokens * topK, numExperts);
        int[] used = result.tokensPerExpert;
        for (int choice = 0; choice < tokens * topK; choice++) {
            for (int round = 0; round <= rounds && result.assignedRank[choice] < 0; round++) {
                int rank = choice % topK + round * topK;
                if (rank >= numExperts) {
                    break;
                }
                int asked = preferences[choice / topK * numExperts + rank];
                result.requestedPerExpert[asked]++;
                if (used[asked] < capacity) {
                    result.place(choice, rank, asked, used[asked]++);
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

    private void place(int choice, int rank, int usedExpert, int place) {
        assignedRank[choice] = rank;
        expert[choice] = usedExpert;
        slot[choice] = place;
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
