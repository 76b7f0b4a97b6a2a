// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * The union of what the gates of a layer choose: a token runs each expert once, however many gates
 * choose it.
 *
 * <p>Dimensions: T tokens, N experts, G gates with k_g ranks each, S = Σ k_g, U = min(N, S). The
 * experts of a token are in order of the lowest rank that a gate gives them, then in order of the
 * gates. Not for several threads: scratch memory is reused.
 */
@Internal
public final class GateUnion {

    private final int[] ranksOfGate;
    private final int most; // max k_g
    private final int size; // U
    private final int sum; // S
    private final int[] placeOfExpert;

    /**
     * @param numExperts N
     * @param ranksOfGate [G], k_g
     */
    public GateUnion(int numExperts, int[] ranksOfGate) {
        this.ranksOfGate = ranksOfGate.clone();
        this.most = Arrays.stream(ranksOfGate).max().orElseThrow();
        this.sum = Arrays.stream(ranksOfGate).sum();
        this.size = Math.min(numExperts, sum);
        this.placeOfExpert = new int[numExperts];
        Arrays.fill(placeOfExpert, -1);
    }

    /** U, the most experts of a token. */
    public int size() {
        return size;
    }

    /** S, the ranks of all gates. */
    public int sum() {
        return sum;
    }

    /**
     * Merges the choices of the gates.
     *
     * @param experts by gate: [T, k_g], in order of rank; -1 for a rank without an expert
     * @param tokens T
     * @param union [T, U], written: the experts of each token; -1 where there are fewer
     * @param ranks [T, U], written: the lowest rank that a gate gives the expert
     * @param places [T, S], written: for each rank of each gate, the place of its expert among the
     *     token's; -1 for none
     */
    public void merge(int[][] experts, int tokens, int[] union, int[] ranks, short[] places) {
        for (int token = 0; token < tokens; token++) {
            int count = place(experts, token, union, ranks, places);
            for (int place = 0; place < count; place++) {
                placeOfExpert[union[token * size + place]] = -1;
            }
            Arrays.fill(union, token * size + count, (token + 1) * size, -1);
        }
    }

    /**
     * Returns the highest of the values that the gates give each expert of T tokens, at least 0.
     *
     * @param values [T, S]
     * @param places [T, S], of {@link #merge}
     * @return [T, U]
     */
    public float[] highest(float[] values, short[] places, int tokens) {
        float[] highest = new float[tokens * size];
        for (int i = 0; i < tokens * sum; i++) {
            if (places[i] >= 0) {
                int at = i / sum * size + places[i];
                highest[at] = Math.max(highest[at], values[i]);
            }
        }
        return highest;
    }

    /** Returns the number of the token's experts. */
    private int place(int[][] experts, int token, int[] union, int[] ranks, short[] places) {
        int from = token * size;
        int count = 0;
        for (int rank = 0; rank < most; rank++) {
            int at = token * sum + rank;
            for (int gate = 0; gate < ranksOfGate.length; gate++) {
                int ofGate = ranksOfGate[gate];
                if (rank < ofGate) {
                    int expert = experts[gate][token * ofGate + rank];
                    if (expert >= 0 && placeOfExpert[expert] < 0) {
                        placeOfExpert[expert] = count;
                        union[from + count] = expert;
                        ranks[from + count] = rank;
                        count++;
                    }
                    places[at] = (short) (expert < 0 ? -1 : placeOfExpert[expert]);
                }
                at += ofGate;
            }
        }
        return count;
    }
}
