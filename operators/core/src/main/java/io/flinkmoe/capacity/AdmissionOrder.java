// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import java.util.Comparator;
import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The order in which the candidates of an expert are admitted in a window. It is complete: what the
 * rule leaves equal is ordered by timestamp, stream and position of the token. A token that came
 * twice is in one lane, so its batch decides, then the number of the choice.
 *
 * <p>{@link #GATE_SCORE} over equal scores visits token by token, ranks mixed: the {@code position}
 * of Megatron.
 */
@PublicEvolving
public enum AdmissionOrder implements Comparator<Candidate> {
    /**
     * All first choices in order of the tokens, then all second choices, ...: Mesh TensorFlow,
     * Lingvo, DeepSpeed top-2, NLLB, Flaxformer, OpenMoE.
     */
    POSITION,
    /**
     * As POSITION, but tokens are visited by descending score of their first choice, in every rank
     * alike: batch-prioritized routing of V-MoE (Riquelme et al. 2021), Flaxformer and NLLB.
     */
    TOKEN_PRIORITY,
    /**
     * All choices by descending score, ranks mixed: each expert keeps its C highest scores.
     * DeepSpeed top-k and Megatron ({@code probs}), Switch-max.
     */
    GATE_SCORE,
    /**
     * As GATE_SCORE, with a uniform draw per token and expert for a score: DeepSpeed's random token
     * selection. The draws are seeded by the token, so a replay draws the same.
     */
    RANDOM;

    /** Whether all choices compete by scores of their own, whatever their rank. */
    public boolean mixesRanks() {
        return this == GATE_SCORE || this == RANDOM;
    }

    /** Negative if {@code a} is admitted before {@code b}. */
    @Override
    public int compare(Candidate a, Candidate b) {
        int order = compareByRule(a, b);
        return order == 0 ? a.compareToken(b) : order;
    }

    private int compareByRule(Candidate a, Candidate b) {
        if (mixesRanks()) {
            return descending(a.score(), b.score());
        }
        if (a.rank() != b.rank() || this == POSITION) {
            return Integer.compare(a.rank(), b.rank());
        }
        return descending(a.topScore(), b.topScore());
    }

    /** Subtraction from 0 makes one zero of both. */
    private static int descending(float a, float b) {
        return Double.compare(0.0 - a, 0.0 - b);
    }

    /** As options write it: token-priority. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
