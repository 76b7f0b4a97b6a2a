// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * A window of T tokens with random preferences among N experts.
 *
 * @param preferences [T, N], each token's experts in order
 * @param scores [T, N], in the same order, descending, no two alike in the window
 */
record RandomWindow(int tokens, int numExperts, int topK, int[] preferences, float[] scores) {

    static RandomWindow of(Random random) {
        int tokens = random.nextInt(40);
        int n = 1 + random.nextInt(8);
        int k = 1 + random.nextInt(n);
        int[] preferences = new int[tokens * n];
        float[] scores = new float[tokens * n];
        List<Integer> levels = permutation(tokens * n, random);
        for (int token = 0; token < tokens; token++) {
            List<Integer> experts = permutation(n, random);
            List<Integer> own = new ArrayList<>(levels.subList(token * n, token * n + n));
            own.sort(Collections.reverseOrder());
            for (int rank = 0; rank < n; rank++) {
                preferences[token * n + rank] = experts.get(rank);
                scores[token * n + rank] = own.get(rank) + 1;
            }
        }
        return new RandomWindow(tokens, n, k, preferences, scores);
    }

    static List<Integer> permutation(int size, Random random) {
        List<Integer> permutation = new ArrayList<>(IntStream.range(0, size).boxed().toList());
        Collections.shuffle(permutation, random);
        return permutation;
    }

    /** The same tokens in another order: token t of the result is token order[t] of this. */
    RandomWindow arranged(List<Integer> order) {
        int[] arrangedPreferences = new int[preferences.length];
        float[] arrangedScores = new float[scores.length];
        for (int token = 0; token < tokens; token++) {
            int from = order.get(token) * numExperts;
            System.arraycopy(
                    preferences, from, arrangedPreferences, token * numExperts, numExperts);
            System.arraycopy(scores, from, arrangedScores, token * numExperts, numExperts);
        }
        return new RandomWindow(tokens, numExperts, topK, arrangedPreferences, arrangedScores);
    }

    /** [T, k], the first k of the preferences. */
    int[] topKIndices() {
        return IntStream.range(0, tokens * topK)
                .map(choice -> preferences[choice / topK * numExperts + choice % topK])
                .toArray();
    }

    /** [T, k]. */
    float[] topKScores() {
        float[] top = new float[tokens * topK];
        for (int choice = 0; choice < top.length; choice++) {
            top[choice] = scores[choice / topK * numExperts + choice % topK];
        }
        return top;
    }
}
