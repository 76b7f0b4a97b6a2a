// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.Internal;

/**
 * The routed tokens of one window, as arrays. Choice {@code t·k + j} tries the expert of rank j of
 * token t first, and that of rank j + r·k in round r. Dimensions: T tokens, K ranks, k choices.
 *
 * @param tokens T of them, in order of arrival
 * @param topK k
 * @param experts [T, K], each token's experts, the most probable first; -1 for none
 * @param scores [T, K], what the admission compares
 * @param choiceRanks the ranks of the choices
 */
@Internal
public record RoutedWindow(
        TokenMetadata tokens, int topK, int[] experts, float[] scores, ChoiceRanks choiceRanks) {

    /** The choices of one gate. */
    public RoutedWindow(TokenMetadata tokens, int topK, int[] experts, float[] scores) {
        this(tokens, topK, experts, scores, ChoiceRanks.OF_ONE_GATE);
    }

    public RoutedWindow {
        if (tokens.tokens() > 0 && experts.length % tokens.tokens() != 0
                || scores.length != experts.length) {
            throw new IllegalArgumentException(
                    "%d tokens have %d experts and %d scores; allowed: as many of each, a multiple of the tokens"
                            .formatted(tokens.tokens(), experts.length, scores.length));
        }
    }

    /** T·k. */
    int choices() {
        return tokens.tokens() * topK;
    }

    /** The expert that a choice tries in a round; -1 for none. */
    int expert(int choice, int round) {
        int rank = Attempt.rank(choice, round, topK);
        return rank < ranks() ? experts[choice / topK * ranks() + rank] : -1;
    }

    Candidate candidate(int choice, int round) {
        int token = choice / topK;
        int first = token * ranks();
        return new Candidate(
                choice,
                choiceRanks.of(choice, topK),
                choiceRanks.topScore(scores, token, ranks()),
                scores[first + Attempt.rank(choice, round, topK)],
                tokens.timestamps()[token],
                tokens.streams()[token],
                tokens.positions()[token],
                0,
                choice);
    }

    /**
     * The same with the {@link WindowSoftmax} of each expert for scores, which were logits. Every
     * choice tries one expert only.
     *
     * @param numExperts N
     */
    public RoutedWindow withShares(int numExperts) {
        float[] shares = new float[scores.length];
        for (int expert = 0; expert < numExperts; expert++) {
            int count = 0;
            for (int choice = 0; choice < experts.length; choice++) {
                count += experts[choice] == expert ? 1 : 0;
            }
            float[] logits = new float[count];
            for (int choice = 0, at = 0; choice < experts.length; choice++) {
                if (experts[choice] == expert) {
                    logits[at++] = scores[choice];
                }
            }
            float[] ofExpert = WindowSoftmax.of(logits);
            for (int choice = 0, at = 0; choice < experts.length; choice++) {
                if (experts[choice] == expert) {
                    shares[choice] = ofExpert[at++];
                }
            }
        }
        return new RoutedWindow(tokens, topK, experts, shares, choiceRanks);
    }

    private int ranks() {
        return tokens.tokens() == 0 ? topK : experts.length / tokens.tokens();
    }
}
