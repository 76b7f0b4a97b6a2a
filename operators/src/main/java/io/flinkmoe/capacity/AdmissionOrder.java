package io.flinkmoe.capacity;

import java.util.Comparator;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/**
 * The order in which the choices of a window's T tokens ask their experts for room. Token {@code t}
 * is the one at index {@code t}; equal keys: the lowest token index first, then the lowest rank.
 *
 * <p>{@link #GATE_SCORE} over uniform draws instead of scores is DeepSpeed's random token
 * selection; over equal scores it visits token by token, ranks mixed: the {@code position} of
 * Megatron.
 */
public enum AdmissionOrder {
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
     * All choices by descending score, ranks mixed: each expert keeps the C that score highest with
     * it. DeepSpeed top-k and Megatron ({@code probs}), Switch-max.
     */
    GATE_SCORE;

    /**
     * The choices in this order, as indices {@code t·k + rank}.
     *
     * @param scores [T, k]; not read by POSITION
     * @return [T·k]
     */
    int[] choices(float[] scores, int tokens, int topK) {
        if (this == GATE_SCORE) {
            return descending(tokens * topK, choice -> scores[choice]);
        }
        int[] visited =
                this == POSITION
                        ? IntStream.range(0, tokens).toArray()
                        : descending(tokens, token -> scores[token * topK]);
        int[] choices = new int[tokens * topK];
        int next = 0;
        for (int rank = 0; rank < topK; rank++) {
            for (int token : visited) {
                choices[next++] = token * topK + rank;
            }
        }
        return choices;
    }

    /** 0 to count-1 by descending key; the sort is stable. */
    private static int[] descending(int count, IntToDoubleFunction key) {
        // Subtraction from 0 makes one zero of both.
        return IntStream.range(0, count)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> 0.0 - key.applyAsDouble(i)))
                .mapToInt(Integer::intValue)
                .toArray();
    }
}
