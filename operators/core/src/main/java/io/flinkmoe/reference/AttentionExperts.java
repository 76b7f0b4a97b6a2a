// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.TopKRouter;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * A mixture of attention heads (MoA) over one causal sequence: the experts are pairs of query and
 * output projections, while keys and values are shared.
 *
 * <p>Dimensions: T tokens of width d, N experts, k choices, H heads of head_dim. For token i, whose
 * choices j are the experts e_j with weights g_j:
 *
 * <pre>
 *   q_j   = Wq[e_j] x_i                                              [H, head_dim]
 *   a_jhm = form of (mark(q_jh) . mark(k_mh) / sqrt(head_dim)), m &lt;= i
 *   c_jh  = sum_m a_jhm v_mh                                         [H, head_dim]
 *   out_i = out_bias + sum_j g_j Wo[e_j] c_j                         [d]
 * </pre>
 *
 * Weights multiply the output side only. Computed in double, rounded once to float32: logits,
 * weights and each result. Zhang et al. 2022, Mixture of Attention Heads; Hugging Face
 * transformers, JetMoeMoA and JetMoeAttention ({@link RotarySoftmax}); ModuleFormerAttention
 * ({@link StickBreaking}). Not for several threads.
 */
@Internal
public final class AttentionExperts {

    private final AttentionWeights weights;
    private final AttentionForm form;
    private final TopKRouter router;
    private final int k;
    private final int n;
    private final int d;
    private final int heads;
    private final int headDim;

    /**
     * @param routing how the experts are chosen, such as the presets jetmoe and moduleformer
     * @throws IllegalArgumentException if the routing is for another number of experts
     */
    public AttentionExperts(AttentionWeights weights, RoutingConfig routing, AttentionForm form) {
        this.weights = weights;
        this.form = form;
        this.router = new TopKRouter(routing);
        this.k = routing.k();
        this.n = routing.numExperts();
        this.d = weights.width();
        this.heads = weights.heads();
        this.headDim = weights.headDim();
        if (n != weights.gate().numExperts()) {
            throw new IllegalArgumentException(
                    "num_experts is %d; allowed: the experts of the gate, which are %d"
                            .formatted(n, weights.gate().numExperts()));
        }
    }

    /**
     * What a layer answered for T tokens.
     *
     * @param out [T, d], without the residual
     * @param q [T, k, H, head_dim], the queries before they are marked with their positions
     * @param attnWeights [k, H, T, T], of choice, head, query and key; 0 for later keys
     * @param logits [T, N]
     * @param experts [T, k], in order of rank
     * @param weights [T, k]
     */
    public record Result(
            float[] out,
            float[] q,
            float[] attnWeights,
            float[] logits,
            int[] experts,
            float[] weights) {}

    /**
     * Runs one sequence.
     *
     * @param x [T, d], in order of position
     * @param tokens T
     * @throws IllegalArgumentException if x has another size, or gives a logit that is not finite
     */
    public Result forward(float[] x, int tokens) {
        if (x.length != (long) tokens * d) {
            throw new IllegalArgumentException(
                    "x has %d values; %d tokens of width %d have %d"
                            .formatted(x.length, tokens, d, (long) tokens * d));
        }
        Result result =
                new Result(
                        new float[tokens * d],
                        new float[tokens * k * heads * headDim],
                        new float[Math.toIntExact((long) k * heads * tokens * tokens)],
                        new float[tokens * n],
                        new int[tokens * k],
                        new float[tokens * k]);
        double[][] rows = new double[tokens][d];
        double[][] keys = new double[tokens][];
        double[][] values = new double[tokens][];
        for (int token = 0; token < tokens; token++) {
            for (int i = 0; i < d; i++) {
                rows[token][i] = x[token * d + i];
            }
            round(weights.gate().logits(rows[token]), result.logits, token * n);
            if (!Floats.allFinite(result.logits, token * n, n)) {
                throw new IllegalArgumentException(
                        "x of token %d gives router logits that are not finite".formatted(token));
            }
            keys[token] = marked(weights.keys().apply(rows[token]), token);
            values[token] = weights.values().apply(rows[token]);
        }
        router.route(result.logits, tokens, result.experts, result.weights);
        for (int token = 0; token < tokens; token++) {
            attend(token, tokens, rows[token], keys, values, result);
        }
        return result;
    }

    /** All choices of one token, and their weighted sum. */
    private void attend(
            int token, int tokens, double[] x, double[][] keys, double[][] values, Result result) {
        double[] sum = new double[d];
        for (int rank = 0; rank < k; rank++) {
            int choice = token * k + rank;
            int expert = result.experts[choice];
            double[] query = weights.queries().get(expert).apply(x);
            round(query, result.q, choice * query.length);
            query = marked(query, token);
            double[] context = new double[query.length];
            for (int head = 0; head < heads; head++) {
                double[] attention = attention(query, keys, head, token);
                round(
                        attention,
                        result.attnWeights,
                        ((rank * heads + head) * tokens + token) * tokens);
                for (int key = 0; key <= token; key++) {
                    for (int i = head * headDim; i < (head + 1) * headDim; i++) {
                        context[i] += attention[key] * values[key][i];
                    }
                }
            }
            double[] output = weights.outputs().get(expert).apply(context);
            for (int i = 0; i < d; i++) {
                sum[i] += result.weights[choice] * output[i];
            }
        }
        for (int i = 0; weights.outBias() != null && i < d; i++) {
            sum[i] += weights.outBias()[i];
        }
        round(sum, result.out, token * d);
    }

    /** The attention weights of one head of a query over the keys up to its own. */
    private double[] attention(double[] query, double[][] keys, int head, int token) {
        double[] scores = new double[token + 1];
        for (int key = 0; key <= token; key++) {
            double dot = 0;
            for (int i = head * headDim; i < (head + 1) * headDim; i++) {
                dot += query[i] * keys[key][i];
            }
            scores[key] = dot / StrictMath.sqrt(headDim);
        }
        form.weigh(scores);
        return scores;
    }

    private double[] marked(double[] vectors, int position) {
        double[] marked = new double[vectors.length];
        for (int head = 0; head < heads; head++) {
            int from = head * headDim;
            double[] vector = Arrays.copyOfRange(vectors, from, from + headDim);
            form.mark(vector, position);
            System.arraycopy(vector, 0, marked, from, headDim);
        }
        return marked;
    }

    private static void round(double[] values, float[] into, int at) {
        for (int i = 0; i < values.length; i++) {
            into[at + i] = (float) values[i];
        }
    }
}
