// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import io.flinkmoe.tensor.FloatBlocks;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * The experts of the published systems as ONNX files, made from weights, and the root mean square
 * norm before them. The weight of a linear layer is [out, in], row-major. The input is {@code
 * hidden} [batch, d], the output is {@code output} [batch, d], all float32; h is the inner width.
 *
 * <p>A row gets the same bits alone and in any batch: no graph has an operator whose CPU kernel
 * computes the end of an array, or an unaligned row, differently from the rest.
 */
@Internal
public final class ExpertGraphs {
    private ExpertGraphs() {}

    /**
     * A gated expert: (act(x w1ᵀ) * (x w3ᵀ)) w2ᵀ. With SILU it is the SwiGLU of Mixtral, Qwen,
     * OLMoE, DBRX, DeepSeek and JetMoE; with GELU_TANH it is the expert of Grok-1 and ST-MoE.
     *
     * @param w1 the gate projection [h, d], which is activated
     * @param w3 the up projection [h, d]
     * @param w2 the down projection [d, h]
     */
    public static byte[] gated(Activation act, float[] w1, float[] w3, float[] w2, int d, int h) {
        return gatedOf(act, w1, w3, w2, d, h).graph(WeightType.FLOAT32).toBytes();
    }

    /**
     * A gated expert with SILU whose weights and computation are float16, for GPUs: it takes half
     * the memory and runs on their fastest arithmetic. Input and output are float32 as in all
     * graphs, but values are rounded to float16, and values above 65504 become infinite.
     */
    public static byte[] gatedHalf(float[] w1, float[] w3, float[] w2, int d, int h) {
        OnnxGraph graph =
                expert("gated_half", d)
                        .toHalf("x", "hidden")
                        .halfWeights("w1.weight", w1, h, d)
                        .halfWeights("w3.weight", w3, h, d)
                        .halfWeights("w2.weight", w2, d, h)
                        .node("Gemm", "w1", List.of("x", "w1.weight"), Map.of("transB", 1))
                        .node("Gemm", "w3", List.of("x", "w3.weight"), Map.of("transB", 1));
        return Activation.SILU
                .addTo(graph, "act", "w1")
                .node("Mul", "inner", List.of("act", "w3"))
                .node("Gemm", "y", List.of("inner", "w2.weight"), Map.of("transB", 1))
                .toFloat("output", "y")
                .toBytes();
    }

    /** A plain expert whose output is not scaled: outputScale is 1. */
    public static byte[] plain(
            Activation act, float[] wi, float[] bi, float[] wo, float[] bo, int d, int h) {
        return plain(act, wi, bi, wo, bo, 1, d, h);
    }

    /**
     * A plain expert: (act(x wiᵀ + bi) woᵀ + bo) * outputScale. Used by Switch, GShard, V-MoE,
     * DeepSpeed, ModuleFormer, Hash, and NLLB (which scales by 1 - moe_token_dropout).
     *
     * @param wi the first layer [h, d]
     * @param bi its bias [h], or null for none
     * @param wo the second layer [d, h]
     * @param bo its bias [d], or null for none
     */
    public static byte[] plain(
            Activation act,
            float[] wi,
            float[] bi,
            float[] wo,
            float[] bo,
            float outputScale,
            int d,
            int h) {
        return plainOf(act, wi, bi, wo, bo, outputScale, d, h).graph(WeightType.FLOAT32).toBytes();
    }

    /**
     * The expert of OpenMoE: ((x waᵀ) * silu(x wbᵀ) * (x wuᵀ)) w2ᵀ. In its checkpoint, wa and wb
     * are the halves of one gate projection (ColossalAI, colossalai/moe/experts.py).
     *
     * @param wa the first half of the gate projection [h, d], which is linear
     * @param wb the second half [h, d], which is activated
     * @param wu the up projection [h, d]
     * @param w2 the down projection [d, h]
     */
    public static byte[] tripleProduct(
            float[] wa, float[] wb, float[] wu, float[] w2, int d, int h) {
        OnnxGraph graph =
                expert("triple_product", d)
                        .linear("a", "hidden", wa, null, d, h)
                        .linear("b", "hidden", wb, null, d, h)
                        .linear("up", "hidden", wu, null, d, h);
        return Activation.SILU
                .addTo(graph, "silu", "b")
                .node("Mul", "gate", List.of("a", "silu"))
                .node("Mul", "inner", List.of("gate", "up"))
                .linear("output", "inner", w2, null, h, d)
                .toBytes();
    }

    /**
     * The expert of BASE without its residual: f(x) = relu(LayerNorm(x) wiᵀ + bi) woᵀ + bo. The
     * layer of BASE (fairseq/modules/base_layer.py) is a·(x + f(x)) + (1 - a)·x = x + a·f(x), where
     * the weight a is sigmoid(logit) and the residual is the input of the layer.
     *
     * @param lnWeight the scale of the LayerNorm [d]
     * @param lnBias the shift of the LayerNorm [d]
     * @param eps is added to the variance of the LayerNorm
     */
    public static byte[] baseLayer(
            float[] lnWeight,
            float[] lnBias,
            float eps,
            float[] wi,
            float[] bi,
            float[] wo,
            float[] bo,
            int d,
            int h) {
        OnnxGraph graph =
                expert("base_layer", d)
                        .weights("ln.weight", lnWeight, d)
                        .weights("ln.bias", lnBias, d)
                        .node(
                                "LayerNormalization",
                                "ln",
                                List.of("hidden", "ln.weight", "ln.bias"),
                                Map.of("epsilon", eps));
        return plainOf(Activation.RELU, wi, bi, wo, bo, 1, d, h)
                .addTo(graph, "", "output", "ln")
                .toBytes();
    }

    /**
     * The shared expert of Qwen2-MoE: sigmoid(x gateᵀ) * SwiGLU(x), with one gate value per token.
     *
     * @param gate the weight of the gate [1, d]; w1, w3 and w2 are as in {@link #gated}
     */
    public static byte[] sharedWithGate(
            float[] gate, float[] w1, float[] w3, float[] w2, int d, int h) {
        FeedForward mlp = gatedOf(Activation.SILU, w1, w3, w2, d, h);
        return new FeedForward.WithGate(linear(gate, null, d, 1), mlp)
                .graph(WeightType.FLOAT32)
                .toBytes();
    }

    /**
     * The same output for every token. As a shared expert it is a bias that a layer adds once per
     * token, whichever experts the token visits (JetMoE).
     *
     * @param bias [d]
     */
    public static byte[] constant(float[] bias) {
        int d = bias.length;
        return expert("constant", d)
                .weights("bias", bias, d)
                .node("Shape", "shape", List.of("hidden"))
                .node("Expand", "output", List.of("bias", "shape"))
                .toBytes();
    }

    /**
     * The dense MLP of DeepSpeed's residual MoE (deepspeed/moe/layer.py), as a shared expert: c[1]
     * * mlp(x) with c = softmax(x coefWeightᵀ + coefBias). The weights of the routed experts are
     * multiplied by c[0], which {@link RouterGraphs#residualScale} computes.
     *
     * @param coefWeight [2, d]
     * @param coefBias [2]; wi, bi, wo and bo are as in {@link #plain}
     */
    public static byte[] residualMlp(
            Activation act,
            float[] coefWeight,
            float[] coefBias,
            float[] wi,
            float[] bi,
            float[] wo,
            float[] bo,
            int d,
            int h) {
        OnnxGraph graph = expert("residual_mlp", d);
        RouterGraphs.mixNodes(graph, "share", 1, coefWeight, coefBias, d);
        return plainOf(act, wi, bi, wo, bo, 1, d, h)
                .addTo(graph, "", "mlp", "hidden")
                .node("Mul", "output", List.of("mlp", "share"))
                .toBytes();
    }

    /**
     * Root mean square normalisation: weight * x / sqrt(mean(x²) + eps).
     *
     * @param weight [d]
     */
    public static byte[] rmsNorm(float[] weight, int d, float eps) {
        return new NormGraphs.Rms(weight, eps).graph("rms_norm").toBytes();
    }

    private static OnnxGraph expert(String name, int d) {
        return new OnnxGraph(name).input("hidden", d).output("output", d);
    }

    private static FeedForward.Linear linear(float[] weight, float[] bias, int in, int out) {
        return new FeedForward.Linear(FloatBlocks.of(weight), bias, in, out);
    }

    private static FeedForward gatedOf(
            Activation act, float[] w1, float[] w3, float[] w2, int d, int h) {
        return new FeedForward.Gated(
                act, linear(w1, null, d, h), linear(w3, null, d, h), linear(w2, null, h, d));
    }

    private static FeedForward plainOf(
            Activation act,
            float[] wi,
            float[] bi,
            float[] wo,
            float[] bo,
            float scale,
            int d,
            int h) {
        return new FeedForward.Plain(act, linear(wi, bi, d, h), linear(wo, bo, h, d), scale);
    }
}
