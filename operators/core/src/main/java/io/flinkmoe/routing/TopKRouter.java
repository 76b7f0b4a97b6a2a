// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * Chooses k of N experts for each token, and their weights, as a {@link RoutingConfig} says. On
 * request it also gives the experts of the next ranks, to which overflow can be rerouted.
 *
 * <p>Dimensions: T tokens, N experts, k choices, K ≥ k ranks. Per token, with router logits z:
 *
 * <pre>
 *   scores           = softmax(z), sigmoid(z) or z                                [N]
 *   selection scores = scores (or z) + e_score_correction_bias, outside the best groups masked
 *   topKIndices      = the K largest selection scores, descending; equal ones: the lowest id first
 *   topKWeights      = the weights of scores[topKIndices], as ChoiceWeights says
 * </pre>
 *
 * Without a bias and without groups, experts are selected by logit. The order is the same, but
 * scores that underflow to 0 or saturate at 1 would tie.
 *
 * <p>A logit of −∞ masks an expert: it is never chosen, whatever bias, groups and ranks ({@link
 * MaskedTopK}); with the scoring function identity, a logit of 0 does. A rank for which no expert
 * is left has expert -1 and weight 0. A token that {@link #isInvalid cannot be routed} has that in
 * all ranks: a logit is NaN or +∞, or fewer than k are finite (none, if the gate is dense); with
 * identity, a logit is not finite or negative. Not for several threads.
 */
@Internal
public final class TopKRouter {

    private final RoutingConfig config;
    private final int numExperts;
    private final int topK;
    private final int ranks;
    private final TopK selection;
    private final MaskedTopK maskedSelection;
    private final int required; // finite logits per token
    private final boolean isIdentity;
    private final boolean selectsByScore;
    private final float[] bias;
    private final float[] selectionScores;
    private final double[] exponentials; // [N], of one token
    private final ChoiceWeights choiceWeights;

    /** Chooses k experts. */
    public TopKRouter(RoutingConfig config) {
        this(config, config.k());
    }

    /**
     * @param ranks K, from k to the experts that a token may be sent to
     */
    public TopKRouter(RoutingConfig config, int ranks) {
        if (ranks < config.k() || ranks > config.selectable()) {
            throw new IllegalArgumentException(
                    "%d ranks are requested; allowed: num_experts_per_tok, which is %d, to %d"
                            .formatted(ranks, config.k(), config.selectable()));
        }
        this.config = config;
        this.numExperts = config.numExperts();
        this.topK = config.k();
        this.required = config.isDense() ? 1 : topK;
        this.isIdentity = config.scoringFunc() == ScoringFunc.IDENTITY;
        this.ranks = ranks;
        this.selection = new TopK(numExperts, ranks, config.groupLimit());
        this.maskedSelection = new MaskedTopK(numExperts, topK, ranks, config.groupLimit());
        this.selectsByScore = config.scoreCorrectionBias() != null || config.groupLimit() != null;
        this.bias = new float[numExperts];
        if (config.scoreCorrectionBias() != null) {
            for (int expert = 0; expert < numExperts; expert++) {
                bias[expert] = config.scoreCorrectionBias().get(expert);
            }
        }
        this.selectionScores = new float[TopK.BLOCK * numExperts];
        this.exponentials = new double[numExperts];
        this.choiceWeights = new ChoiceWeights(config, ranks);
    }

    /**
     * Routes T tokens without noise in the selection.
     *
     * @param routerLogits [T, N]
     * @param tokens T
     * @param topKIndices [T, K], written: the chosen experts in order of rank; -1 for none
     * @param topKWeights [T, K], written: their weights
     */
    public void route(float[] routerLogits, int tokens, int[] topKIndices, float[] topKWeights) {
        route(routerLogits, tokens, topKIndices, topKWeights, null);
    }

    /**
     * Routes T tokens.
     *
     * @param noise the draws for noise in the selection; null for none
     */
    public void route(
            float[] routerLogits,
            int tokens,
            int[] topKIndices,
            float[] topKWeights,
            NoiseSource noise) {
        boolean gumbel =
                noise != null
                        && config.noise() != null
                        && config.noise().kind() == RouterNoise.Kind.GUMBEL_SECOND;
        if (selectsByScore) {
            selectByScore(routerLogits, tokens, topKIndices);
        } else {
            selection.select(routerLogits, 0, tokens, topKIndices, 0);
        }
        for (int token = 0; token < tokens; token++) {
            if (gumbel) {
                chooseSecondByGumbel(routerLogits, token, topKIndices, noise);
            }
            choiceWeights.write(
                    routerLogits,
                    token * numExperts,
                    topKIndices,
                    topKWeights,
                    token * ranks,
                    ranks);
        }
        if (isIdentity) {
            for (int token = 0; token < tokens; token++) {
                leaveOutZeros(routerLogits, token, topKIndices, topKWeights);
            }
        } else if (!Floats.allFinite(routerLogits, 0, tokens * numExperts)) {
            for (int token = 0; token < tokens; token++) {
                if (!Floats.allFinite(routerLogits, token * numExperts, numExperts)) {
                    routeMasked(
                            routerLogits, token, topKIndices, topKWeights, gumbel ? noise : null);
                }
            }
        }
    }

    /**
     * Whether a token cannot be routed, so that it has no expert.
     *
     * @param routerLogits [T, N]
     * @param topKIndices [T, K], of {@link #route}
     */
    public boolean isInvalid(float[] routerLogits, int token, int[] topKIndices) {
        if (topKIndices[token * ranks] >= 0) {
            return false;
        }
        boolean allZero = isIdentity;
        for (int expert = 0; expert < numExperts && allZero; expert++) {
            allZero = routerLogits[token * numExperts + expert] == 0;
        }
        return !allZero;
    }

    /** Removes the experts of weight 0, or all if a weight is invalid; the others move up. */
    private void leaveOutZeros(float[] logits, int token, int[] indices, float[] weights) {
        boolean valid = true;
        for (int expert = 0; expert < numExperts; expert++) {
            float weight = logits[token * numExperts + expert];
            valid &= weight >= 0 && weight < Float.POSITIVE_INFINITY;
        }
        int end = token * ranks;
        for (int rank = token * ranks; rank < (token + 1) * ranks && valid; rank++) {
            if (logits[token * numExperts + indices[rank]] != 0) {
                indices[end] = indices[rank];
                weights[end++] = weights[rank];
            }
        }
        Arrays.fill(indices, end, (token + 1) * ranks, -1);
        Arrays.fill(weights, end, (token + 1) * ranks, 0);
    }

    /** Routes a token anew that has logits which are not finite. */
    private void routeMasked(
            float[] logits, int token, int[] indices, float[] weights, NoiseSource gumbel) {
        int from = token * numExperts;
        int at = token * ranks;
        Arrays.fill(indices, at, at + ranks, -1);
        Arrays.fill(weights, at, at + ranks, 0);
        if (!areFiniteOrMasked(logits, from)) {
            return;
        }
        if (selectsByScore) {
            writeSelectionScores(logits, from, 0);
        }
        int found =
                selectsByScore
                        ? maskedSelection.select(logits, from, selectionScores, 0, indices, at)
                        : maskedSelection.select(logits, from, logits, from, indices, at);
        if (found < required) {
            Arrays.fill(indices, at, at + ranks, -1);
            return;
        }
        if (gumbel != null) {
            chooseSecondByGumbel(logits, token, indices, gumbel);
        }
        choiceWeights.write(logits, from, indices, weights, at, found);
    }

    private boolean areFiniteOrMasked(float[] logits, int from) {
        boolean all = true;
        for (int expert = 0; expert < numExperts; expert++) {
            all &= logits[from + expert] < Float.POSITIVE_INFINITY; // which NaN is not either
        }
        return all;
    }

    private void selectByScore(float[] logits, int tokens, int[] indices) {
        for (int token = 0; token < tokens; token += TopK.BLOCK) {
            int count = Math.min(TopK.BLOCK, tokens - token);
            for (int row = 0; row < count; row++) {
                writeSelectionScores(logits, (token + row) * numExperts, row * numExperts);
            }
            selection.select(selectionScores, 0, count, indices, token * ranks);
        }
    }

    private void writeSelectionScores(float[] logits, int from, int at) {
        ScoringFunc function =
                config.selectsOnLogits() ? ScoringFunc.IDENTITY : config.scoringFunc();
        Scores.write(function, logits, from, exponentials, selectionScores, at);
        for (int expert = 0; expert < numExperts; expert++) {
            selectionScores[at + expert] += bias[expert];
        }
    }

    private void chooseSecondByGumbel(float[] logits, int token, int[] indices, NoiseSource noise) {
        int first = indices[token * ranks];
        int second = -1;
        float best = Float.NEGATIVE_INFINITY;
        for (int expert = 0; expert < numExperts; expert++) {
            if (expert != first) {
                float noisy = logits[token * numExperts + expert] + noise.gumbel(token, expert);
                if (second < 0 || noisy > best) {
                    best = noisy;
                    second = expert;
                }
            }
        }
        indices[token * ranks + 1] = second;
    }
}
