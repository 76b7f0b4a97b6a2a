// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing.health;

import io.flinkmoe.routing.LogitMatrix;
import org.apache.flink.annotation.Internal;

/**
 * Load-balancing losses, with coefficient 1, of T tokens, N experts and k choices. All have the
 * form
 *
 * <pre>
 *   loss = mean over groups of  N * sum_e f_e * P_e
 *   P_e  = mean probability of expert e over the tokens of the group, p = softmax(z) over experts
 *   f_e  = how often expert e is chosen, per token of the group
 * </pre>
 *
 * and differ in the groups, and in which choices f counts: the first only (a balanced load gives
 * 1), all k (k), or all k divided by k (1). Choices count as they were made, before any is dropped;
 * an id of -1 is no choice. Computed in double with {@link StrictMath}.
 */
@Internal
public final class LoadBalancingLoss {

    private LoadBalancingLoss() {}

    /**
     * Switch Transformer, as the Hugging Face port and mesh-tensorflow compute it: first choices,
     * per group (sequence). ST-MoE uses the same.
     *
     * @param routerLogits [T, N]
     * @param topKIndices [T, k]
     * @param groups G, T / G consecutive tokens each
     * @throws IllegalArgumentException if the shapes do not fit, T is 0, or G does not divide T
     */
    public static double switchGrouped(
            float[] routerLogits, int[] topKIndices, int numExperts, int groups) {
        return loss(routerLogits, topKIndices, numExperts, groups, Counted.FIRST, null);
    }

    /**
     * GShard (lingvo), V-MoE's {@code gshard} loss, and DeepSpeed top-1 and top-2: first choices,
     * one group.
     */
    public static double gshard(float[] routerLogits, int[] topKIndices, int numExperts) {
        return loss(routerLogits, topKIndices, numExperts, 1, Counted.FIRST, null);
    }

    /** flaxformer's TokensChooseMaskedRouter: all choices, per group; a balanced load gives k. */
    public static double flaxformer(
            float[] routerLogits, int[] topKIndices, int numExperts, int groups) {
        return loss(routerLogits, topKIndices, numExperts, groups, Counted.ALL, null);
    }

    /**
     * Hugging Face's {@code load_balancing_loss_func} (Mixtral, Qwen-MoE, OLMoE, DBRX): all
     * choices, one group; a balanced load gives k.
     */
    public static double mixtral(float[] routerLogits, int[] topKIndices, int numExperts) {
        return loss(routerLogits, topKIndices, numExperts, 1, Counted.ALL, null);
    }

    /**
     * The same over the real tokens only.
     *
     * @param attentionMask [T], 0 where the token is padding
     * @throws IllegalArgumentException also if it is not of T values, or all are 0
     */
    public static double mixtralMasked(
            float[] routerLogits, int[] topKIndices, int numExperts, int[] attentionMask) {
        return loss(routerLogits, topKIndices, numExperts, 1, Counted.ALL, attentionMask);
    }

    /**
     * Megatron's {@code switch_load_balancing_loss_func}: N / (k T²) * sum_e count_e * sum_t p_te.
     */
    public static double megatronSwitch(float[] routerLogits, int[] topKIndices, int numExperts) {
        return loss(routerLogits, topKIndices, numExperts, 1, Counted.ALL_OVER_K, null);
    }

    /** DeepSpeed's top-k gate: all choices divided by k, one group. */
    public static double deepspeedTopK(float[] routerLogits, int[] topKIndices, int numExperts) {
        return loss(routerLogits, topKIndices, numExperts, 1, Counted.ALL_OVER_K, null);
    }

    /** DeepSeek's MoEGate with seq_aux: all choices divided by k, per sequence. */
    public static double deepseekSequence(
            float[] routerLogits, int[] topKIndices, int numExperts, int sequences) {
        return loss(routerLogits, topKIndices, numExperts, sequences, Counted.ALL_OVER_K, null);
    }

    /** DeepSeek's MoEGate without seq_aux: all choices divided by k, over the batch. */
    public static double deepseekBatch(float[] routerLogits, int[] topKIndices, int numExperts) {
        return loss(routerLogits, topKIndices, numExperts, 1, Counted.ALL_OVER_K, null);
    }

    /**
     * mesh-tensorflow's No-Token-Left-Behind: the mean over the ranks that may be tried.
     *
     * @param attempts [T, K], the K most probable experts of each token, tried or not
     */
    public static double noTokenLeftBehind(
            float[] routerLogits, int[] attempts, int numExperts, int groups) {
        return loss(routerLogits, attempts, numExperts, groups, Counted.ALL_OVER_K, null);
    }

    /**
     * JetMoE: N * sum_e (share of the probability) * (share of the choices), plus a tenth of the
     * z-loss.
     */
    public static double jetmoe(float[] routerLogits, int[] topKIndices, int numExperts) {
        return loss(routerLogits, topKIndices, numExperts, 1, Counted.ALL_OVER_K, null)
                + 0.1 * RouterZLoss.of(routerLogits, numExperts);
    }

    private enum Counted {
        FIRST,
        ALL,
        ALL_OVER_K
    }

    private static double loss(
            float[] routerLogits,
            int[] topKIndices,
            int numExperts,
            int groups,
            Counted counted,
            int[] mask) {
        LogitMatrix logits = LogitMatrix.of(routerLogits, numExperts);
        int k = logits.choicesPerToken(topKIndices);
        int tokens = logits.tokens();
        if (groups < 1 || tokens % groups != 0) {
            throw new IllegalArgumentException(
                    "groups is %d; allowed: a divisor of the %d tokens".formatted(groups, tokens));
        }
        if (mask != null && mask.length != tokens) {
            throw new IllegalArgumentException(
                    "attention_mask has %d values; allowed: one per token, which are %d"
                            .formatted(mask.length, tokens));
        }
        int ranks = counted == Counted.FIRST ? 1 : k;
        double perToken = counted == Counted.ALL_OVER_K ? k : 1;
        double sum = 0;
        for (int group = 0; group < groups; group++) {
            int first = group * (tokens / groups);
            int end = first + tokens / groups;
            sum += ofGroup(logits, first, end, topKIndices, k, ranks, mask) / perToken;
        }
        return sum / groups;
    }

    /** N * sum_e f_e * P_e over the tokens from first to end, f of the first ranks of k. */
    private static double ofGroup(
            LogitMatrix logits,
            int first,
            int end,
            int[] topKIndices,
            int k,
            int ranks,
            int[] mask) {
        int numExperts = logits.numExperts();
        double[] p = new double[numExperts];
        double[] probability = new double[numExperts];
        long[] chosen = new long[numExperts];
        double real = 0;
        for (int token = first; token < end; token++) {
            if (mask != null && mask[token] == 0) {
                continue;
            }
            real++;
            logits.softmax(token, p);
            for (int expert = 0; expert < numExperts; expert++) {
                probability[expert] += p[expert];
            }
            for (int rank = 0; rank < ranks; rank++) {
                int expert = topKIndices[token * k + rank];
                if (expert >= 0) {
                    chosen[expert]++;
                }
            }
        }
        if (real == 0) {
            throw new IllegalArgumentException(
                    "attention_mask is 0 for all tokens; allowed: at least one real token");
        }
        double sum = 0;
        for (int expert = 0; expert < numExperts; expert++) {
            sum += chosen[expert] / real * (probability[expert] / real);
        }
        return numExperts * sum;
    }
}
