// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import org.apache.flink.annotation.Internal;

/**
 * Softmax attention with rotary positions (RoPE), as in JetMoE: the two halves of a vector at
 * position p are the coordinates of head_dim/2 points, and point i turns by {@code p *
 * theta^(-2i/head_dim)}. Angles are float32, as published: they decide the result at far positions.
 * Su et al. 2021, RoFormer; Hugging Face transformers, JetMoeRotaryEmbedding.
 *
 * @param theta the base of the frequencies ({@code rope_theta}), above 0
 */
@Internal
public record RotarySoftmax(double theta) implements AttentionForm {

    public RotarySoftmax {
        if (!(theta > 0 && Double.isFinite(theta))) {
            throw new IllegalArgumentException(
                    "rope_theta is %s; allowed: finite values above 0".formatted(theta));
        }
    }

    @Override
    public void mark(double[] vector, int position) {
        if (vector.length % 2 != 0) {
            throw new IllegalArgumentException(
                    "head_dim is %d; rotary positions need an even one".formatted(vector.length));
        }
        int half = vector.length / 2;
        for (int i = 0; i < half; i++) {
            float frequency = 1 / (float) StrictMath.pow(theta, 2f * i / vector.length);
            float angle = position * frequency;
            double cos = StrictMath.cos(angle);
            double sin = StrictMath.sin(angle);
            double first = vector[i];
            double second = vector[half + i];
            vector[i] = first * cos - second * sin;
            vector[half + i] = second * cos + first * sin;
        }
    }

    @Override
    public void weigh(double[] scores) {
        double max = Double.NEGATIVE_INFINITY;
        for (double score : scores) {
            max = Math.max(max, score);
        }
        double sum = 0;
        for (int key = 0; key < scores.length; key++) {
            scores[key] = StrictMath.exp(scores[key] - max);
            sum += scores[key];
        }
        for (int key = 0; key < scores.length; key++) {
            scores[key] /= sum;
        }
    }
}
