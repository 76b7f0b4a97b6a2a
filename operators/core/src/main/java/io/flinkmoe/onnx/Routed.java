// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import io.flinkmoe.capacity.AdmissionScore;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/** The result for the tokens of one call. */
@Internal
public final class Routed {

    private static final float[] NO_SCALES = {};
    private static final float[] NO_SCORES = {};

    private final int numExperts;
    final int ranks;
    private final ScoringFunc scoringFunc;
    final float[] logits;
    final int[] experts;
    final float[] weights;
    final boolean[] skipped;
    final float[] scales;
    final RoutingFault[] faults;
    boolean hasFaults;
    boolean hasScales;
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
        this.scales = new float[maxRows];
        this.faults = new RoutingFault[maxRows];
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

    /** Chosen experts [T, K], in order of rank; -1 for a rank that has none. */
    public int[] experts() {
        return experts;
    }

    /** Their weights [T, K]. */
    public float[] weights() {
        return weights;
    }

    /**
     * What multiplies the weights of each token after a weight rule, [T]: {@code
     * routed_scaling_factor · expertScale(hidden)}; none where there is no factor, or the weights
     * are multiplied already.
     */
    public float[] scales(int tokens) {
        return hasScales ? Arrays.copyOf(scales, tokens) : NO_SCALES;
    }

    /** The scores of the chosen experts [T, K], neither normalized nor scaled; 0 for none. */
    public float[] scores(int tokens) {
        float[] all =
                Scores.of(scoringFunc, Arrays.copyOf(logits, tokens * numExperts), numExperts);
        return ofChosen(tokens, (token, expert) -> all[token * numExperts + expert]);
    }

    /**
     * The scores of the chosen experts [T, K] that an admission compares when a window closes; 0
     * for a rank without an expert.
     *
     * @param kind which scores; for {@link AdmissionScore#NONE} the result is empty
     * @param draws the draws of the tokens, needed for random admission only
     * @throws IllegalArgumentException if random admission has no draws
     */
    public float[] admissionScores(AdmissionScore kind, int tokens, NoiseSource draws) {
        return switch (kind) {
            case NONE -> NO_SCORES;
            case GATE_SCORE -> scores(tokens);
            case ROUTER_LOGIT -> ofChosen(tokens, this::logit);
            case RANDOM_DRAW -> {
                if (draws == null) {
                    throw new IllegalArgumentException("random admission needs draws");
                }
                yield ofChosen(tokens, draws::priority);
            }
        };
    }

    /** The score of a token with an expert. */
    private interface Score {
        float of(int token, int expert);
    }

    private float[] ofChosen(int tokens, Score score) {
        float[] chosen = new float[tokens * ranks];
        for (int i = 0; i < chosen.length; i++) {
            chosen[i] = experts[i] < 0 ? 0 : score.of(i / ranks, experts[i]);
        }
        return chosen;
    }

    /**
     * The outcome of a choice of a token that is on time.
     *
     * @param choice token · k + rank
     * @param topK k
     * @param otherwise the code of a choice that the router leaves to an expert
     * @return FAILED, OVERFLOWED or {@code otherwise}
     */
    public byte outcome(int choice, int topK, byte otherwise) {
        if (!isRoutable(choice / topK)) {
            return Outcome.FAILED.code();
        }
        return isSkipped(choice) ? Outcome.OVERFLOWED.code() : otherwise;
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

    /** Whether any token of the call has a fault. */
    public boolean hasFaults() {
        return hasFaults;
    }

    /** What is not finite of a token. If anything is, no expert is asked. */
    public RoutingFault fault(int token) {
        return faults[token];
    }

    /** Whether experts can be asked. If not, the choices are FAILED and y is the residual. */
    public boolean isRoutable(int token) {
        return faults[token] == RoutingFault.NONE;
    }

    /** The tokens of T whose encoding is finite, or is not, ascending. */
    public int[] rowsThatAreEncoded(int tokens, boolean wanted) {
        int[] rows = new int[tokens];
        int count = 0;
        for (int row = 0; row < tokens; row++) {
            if ((faults[row] != RoutingFault.ENCODING) == wanted) {
                rows[count++] = row;
            }
        }
        return Arrays.copyOf(rows, count);
    }
}
