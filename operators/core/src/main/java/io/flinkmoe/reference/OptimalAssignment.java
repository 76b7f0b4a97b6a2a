// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import io.flinkmoe.routing.LogitMatrix;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * The exactly best balanced assignment: T tokens to N experts, exactly T/N to each, with the
 * largest sum of affinities. The Hungarian method by shortest augmenting paths (Jonker and
 * Volgenant 1987) on T tokens and T slots, T/N per expert; in double, O(T³). Where several
 * assignments are best, always the same one of them is found.
 */
@Internal
public final class OptimalAssignment {

    private OptimalAssignment() {}

    /**
     * @param scores [T, N], affinities; NaN and infinite ones are taken as the smallest finite one
     * @return [T], the expert of each token
     * @throws IllegalArgumentException if T is 0 or N does not divide it, or no score is finite
     */
    public static int[] of(float[] scores, int numExperts) {
        LogitMatrix matrix = LogitMatrix.of(BalancedAssignment.finite(scores), numExperts);
        int tokens = matrix.tokens();
        int perExpert = BalancedAssignment.tokensPerExpert(tokens, numExperts);
        double[] tokenPrice = new double[tokens];
        // Slot T stands for the token that is being placed.
        double[] slotPrice = new double[tokens + 1];
        int[] tokenOfSlot = new int[tokens + 1];
        Arrays.fill(tokenOfSlot, -1);
        for (int token = 0; token < tokens; token++) {
            tokenOfSlot[tokens] = token;
            place(matrix, perExpert, tokenPrice, slotPrice, tokenOfSlot);
        }
        int[] experts = new int[tokens];
        for (int slot = 0; slot < tokens; slot++) {
            experts[tokenOfSlot[slot]] = slot / perExpert;
        }
        return experts;
    }

    /** Finds the cheapest path from the new token to a free slot, and moves tokens along it. */
    private static void place(
            LogitMatrix scores,
            int perExpert,
            double[] tokenPrice,
            double[] slotPrice,
            int[] tokenOfSlot) {
        int tokens = scores.tokens();
        double[] distance = new double[tokens];
        Arrays.fill(distance, Double.POSITIVE_INFINITY);
        int[] previous = new int[tokens];
        boolean[] visited = new boolean[tokens + 1];
        int slot = tokens;
        while (tokenOfSlot[slot] >= 0) {
            visited[slot] = true;
            int token = tokenOfSlot[slot];
            int nearest = -1;
            for (int to = 0; to < tokens; to++) {
                if (visited[to]) {
                    continue;
                }
                double reduced =
                        -scores.at(token, to / perExpert) - tokenPrice[token] - slotPrice[to];
                if (reduced < distance[to]) {
                    distance[to] = reduced;
                    previous[to] = slot;
                }
                if (nearest < 0 || distance[to] < distance[nearest]) {
                    nearest = to;
                }
            }
            double step = distance[nearest];
            for (int at = 0; at <= tokens; at++) {
                if (visited[at]) {
                    tokenPrice[tokenOfSlot[at]] += step;
                    slotPrice[at] -= step;
                } else if (at < tokens) {
                    distance[at] -= step;
                }
            }
            slot = nearest;
        }
        while (slot != tokens) {
            tokenOfSlot[slot] = tokenOfSlot[previous[slot]];
            slot = previous[slot];
        }
    }
}
