// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.Internal;

/**
 * The rank of each choice, by which {@link AdmissionOrder} compares. With one gate, choice j of a
 * token has rank j. With several, the rank is the lowest that a gate gives the expert, so several
 * choices of a token can have the same one.
 *
 * @param ranks [T, k]; empty with one gate
 */
@Internal
public record ChoiceRanks(int[] ranks) {

    /** One gate. */
    public static final ChoiceRanks OF_ONE_GATE = new ChoiceRanks(new int[0]);

    /**
     * The rank of a choice.
     *
     * @param choice token · k + place
     */
    public int of(int choice, int k) {
        return ranks.length == 0 ? choice % k : ranks[choice];
    }

    /**
     * The score by which a token is visited: that of its first choice; with several gates, the
     * highest of all its choices.
     *
     * @param scores [T, K]
     */
    public float topScore(float[] scores, int token, int ranksPerToken) {
        int first = token * ranksPerToken;
        float top = scores[first];
        for (int i = 1; i < ranksPerToken && ranks.length > 0; i++) {
            top = Math.max(top, scores[first + i]);
        }
        return top;
    }

    /** The same of some tokens. */
    public ChoiceRanks select(int[] tokens, int k) {
        if (ranks.length == 0) {
            return this;
        }
        int[] selected = new int[tokens.length * k];
        for (int i = 0; i < tokens.length; i++) {
            System.arraycopy(ranks, tokens[i] * k, selected, i * k, k);
        }
        return new ChoiceRanks(selected);
    }
}
