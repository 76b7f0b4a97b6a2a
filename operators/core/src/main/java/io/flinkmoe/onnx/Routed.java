// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/** The result for the tokens of one call. */
@Internal
public final class Routed {
    private final int numExperts;
    final int ranks;
    private final ScoringFunc scoringFunc;
    final float[] logits;
    final int[] experts;
    final float[] weights;
    final boolean[] skipped;
    byte[] hidden;
    byte[] residual;

    Routed(RoutingConfig routing, int ranks, int maxRows) {
        this.numExperts = routing.numExperts();
        this.ranks = ranks;
        this.scoringFunc = routing.scoringFunc();
        this.logits = new float[maxRows * numExperts];
        this.experts = new int[maxRows * ranks];
        this.weights = new float[maxRows * ranks];
        this.skipped = new boolean[maxRows * routing.numExpertsPerTok()];
    }

    /** Router logits [T, N]. */
    public float[] logits() {
        return logits;
    }

    /** The router logit of an expert for a token. */
    public float logit(int token, int expert) {
        return logits[token * numExperts + expert];
    }

    /** K. */
    public int ranks() {
        return ranks;
    }

    /** Chosen experts [T, K], in order of rank. */
    public int[] experts() {
        return experts;
    }

    /** Their weights [T, K]. */
    public float[] weights() {
        return weights;
    }

    /** The scores of the chosen experts [T, K], neither normalized nor scaled. */
    public float[] scores(int tokens) {
        float[] all =
                Scores.of(scoringFunc, Arrays.copyOf(logits, tokens * numExperts), numExperts);
        float[] chosen = new float[tokens * ranks];
        for (int i = 0; i < chosen.length; i++) {
            chosen[i] = all[i / ranks * numExperts + experts[i]];
        }
        return chosen;
    }

    /** Whether random_second noise dropped choice {@code token * k + rank}; its weight is 0. */
    public boolean isSkipped(int choice) {
        return skipped[choice];
    }

    /** The input of the experts [T, d], little endian. */
    public byte[] hidden() {
        return hidden;
    }

    /** What the experts' outputs are added to [T, d], little endian. */
    public byte[] residual() {
        return residual;
    }

    /**
     * Whether the logits and weights of a token are finite. If not, the choices of the token are
     * FAILED and it keeps its residual.
     */
    public boolean isRoutable(int token) {
        return Floats.allFinite(logits, token * numExperts, numExperts)
                && Floats.allFinite(weights, token * ranks, ranks);
    }
}
