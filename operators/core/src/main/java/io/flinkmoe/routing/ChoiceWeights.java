// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import org.apache.flink.annotation.Internal;

/**
 * The weights of the chosen experts of a token, K ≥ k ranks of them, computed in double and rounded
 * once:
 *
 * <pre>
 *   s_j = the score of the expert of rank j
 *   w_j = s_j / max(‖s_1 … s_k‖ + norm_epsilon, norm_floor) if norm_topk_prob, else s_j
 *   w_j · routed_scaling_factor · per_expert_scale of the expert
 * </pre>
 *
 * Not for several threads: scratch memory is reused.
 */
@Internal
final class ChoiceWeights {

    private final ScoringFunc function;
    private final int numExperts;
    private final int topK;
    private final boolean normalizes;
    private final boolean euclidean;
    private final double epsilon;
    private final double floor;
    private final double factor;
    private final float[] scaleOfExpert; // null for 1
    private final double closeness; // 2ε of the sparsemixer
    private final double[] exponentials; // [N], of one token
    private final double[] chosen; // [K]

    ChoiceWeights(RoutingConfig config, int ranks) {
        this.function = config.scoringFunc();
        this.numExperts = config.numExperts();
        this.topK = config.k();
        this.normalizes = config.normTopKProb();
        this.euclidean = config.normOrder() != null && config.normOrder() == 2;
        this.epsilon = orZero(config.normEpsilon());
        this.floor = orZero(config.normFloor());
        Float scaling = config.routedScalingFactor();
        this.factor = scaling == null ? 1 : scaling;
        this.scaleOfExpert = config.perExpertScale() == null ? null : new float[numExperts];
        for (int expert = 0; scaleOfExpert != null && expert < numExperts; expert++) {
            scaleOfExpert[expert] = config.perExpertScale().get(expert);
        }
        this.closeness = 2 * orZero(config.sparsemixerEps());
        this.exponentials = new double[numExperts];
        this.chosen = new double[ranks];
    }

    private static double orZero(Float value) {
        return value == null ? 0 : value;
    }

    /**
     * Writes the weights of one token.
     *
     * @param logits [N] from {@code from} on
     * @param indices the chosen experts from {@code at} on
     * @param weights written from {@code at} on
     * @param count the ranks that have an expert
     */
    void write(float[] logits, int from, int[] indices, float[] weights, int at, int count) {
        score(logits, from, indices, at, count);
        double norm = normalizes ? Math.max(norm(Math.min(count, topK)) + epsilon, floor) : 1;
        for (int rank = 0; rank < count; rank++) {
            // All chosen scores can underflow to 0; their shares are then 0 too.
            double weight = norm == 0 ? 0 : chosen[rank] / norm * factor;
            if (scaleOfExpert != null) {
                weight *= scaleOfExpert[indices[at + rank]];
            }
            weights[at + rank] = (float) weight;
        }
    }

    private void score(float[] logits, int from, int[] indices, int at, int count) {
        switch (function) {
            case SOFTMAX -> softmax(logits, from, indices, at, count);
            case SPARSEMIXER -> sparsemixer(logits, from, indices, at, count);
            case SIGMOID -> {
                for (int rank = 0; rank < count; rank++) {
                    chosen[rank] = Scores.sigmoid(logits[from + indices[at + rank]]);
                }
            }
            case IDENTITY -> {
                for (int rank = 0; rank < count; rank++) {
                    chosen[rank] = logits[from + indices[at + rank]];
                }
            }
        }
    }

    private void softmax(float[] logits, int from, int[] indices, int at, int count) {
        // Divided by their own sum, the scores need no sum over all.
        boolean relative = normalizes && epsilon == 0 && floor == 0;
        double max = Double.NEGATIVE_INFINITY;
        for (int rank = 0; rank < Math.min(count, topK); rank++) {
            max = Math.max(max, logits[from + indices[at + rank]]);
        }
        if (relative) {
            for (int rank = 0; rank < count; rank++) {
                chosen[rank] = StrictMath.exp(logits[from + indices[at + rank]] - max);
            }
            return;
        }
        for (int expert = 0; expert < numExperts; expert++) {
            max = Math.max(max, logits[from + expert]);
        }
        double sum = 0;
        for (int expert = 0; expert < numExperts; expert++) {
            exponentials[expert] = StrictMath.exp(logits[from + expert] - max);
            sum += exponentials[expert];
        }
        for (int rank = 0; rank < count; rank++) {
            chosen[rank] = exponentials[indices[at + rank]] / sum;
        }
    }

    /** {@link ScoringFunc#SPARSEMIXER}. */
    private void sparsemixer(float[] logits, int from, int[] indices, int at, int count) {
        for (int rank = 0; rank < count; rank++) {
            double largest = logits[from + indices[at + rank]];
            double sum = 0;
            for (int expert = 0; expert < numExperts; expert++) {
                double logit = logits[from + expert];
                double distance = (largest - logit) / Math.max(Math.abs(logit), largest);
                boolean isFar = distance > closeness; // Not if it is 0/0: two logits of 0.
                if (!isFar && !isEarlier(indices, at, rank, expert)) {
                    sum += StrictMath.exp(logit - largest);
                }
            }
            chosen[rank] = 1 / sum;
        }
    }

    private static boolean isEarlier(int[] indices, int at, int rank, int expert) {
        boolean earlier = false;
        for (int i = at; i < at + rank; i++) {
            earlier |= indices[i] == expert;
        }
        return earlier;
    }

    private double norm(int count) {
        double sum = 0;
        for (int rank = 0; rank < count; rank++) {
            double score = chosen[rank];
            sum += euclidean ? score * score : score;
        }
        return euclidean ? StrictMath.sqrt(sum) : sum;
    }
}
