package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.Activation;
import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/**
 * The MLP experts of JetMoE (myshell-ai/JetMoE, transformers' {@code models/jetmoe}); its attention
 * experts are not read. input_linear [N, 2h, d] has the activated half first, output_linear is [N,
 * d, h]. One bias [d] is added to every token, whatever its experts: it becomes a shared expert.
 *
 * <p>config.json has the keys of either publication: moe_num_experts, moe_top_k, ffn_hidden_size,
 * or num_local_experts, num_experts_per_tok, intermediate_size.
 */
final class JetMoeLayout implements CheckpointLayout {
    private final Checkpoint checkpoint;
    private final Activation activation;
    private final int d;
    private final int h;
    private final int numExperts;
    private final int topK;
    private final List<String> layers;

    JetMoeLayout(Checkpoint checkpoint) throws CheckpointException {
        this.checkpoint = checkpoint;
        activation = LayoutParts.activation(checkpoint, "activation_function", "silu");
        d = checkpoint.config().positiveInt("hidden_size");
        boolean original = checkpoint.config().has("moe_num_experts");
        String numExpertsKey = original ? "moe_num_experts" : "num_local_experts";
        h = checkpoint.config().positiveInt(original ? "ffn_hidden_size" : "intermediate_size");
        numExperts = checkpoint.config().positiveInt(numExpertsKey);
        topK =
                LayoutParts.topK(
                        checkpoint, original ? "moe_top_k" : "num_experts_per_tok", numExpertsKey);
        if (!checkpoint.config().flag("glu", true)) {
            throw checkpoint
                    .config()
                    .badConfig("glu", "true; experts without gate are not supported");
        }
        layers =
                LayoutParts.layers(
                        checkpoint,
                        "model.layers.%d",
                        checkpoint.config().positiveInt("num_hidden_layers"),
                        layer -> true);
    }

    @Override
    public int hiddenSize() {
        return d;
    }

    @Override
    public List<String> layers() {
        return layers;
    }

    /** A softmax over the k largest logits is Mixtral's router. */
    @Override
    public RoutingConfig routing(String layer) {
        return RoutingConfig.mixtral(numExperts, topK);
    }

    @Override
    public byte[] norm(String layer) throws IOException {
        float eps = checkpoint.config().positiveFloat("rms_norm_eps", 1e-6f);
        return LayoutParts.rmsNorm(checkpoint, layer + ".post_attention_layernorm.weight", d, eps);
    }

    @Override
    public byte[] router(String layer) throws IOException {
        return LayoutParts.router(checkpoint, layer + ".mlp.router.layer.weight", numExperts, d);
    }

    @Override
    public byte[] expert(String layer, int expert) throws IOException {
        float[] input = part(layer + ".mlp.input_linear.weight", expert, 2 * h, d);
        float[] output = part(layer + ".mlp.output_linear.weight", expert, d, h);
        return ExpertGraphs.gated(
                activation,
                Arrays.copyOf(input, h * d),
                Arrays.copyOfRange(input, h * d, 2 * h * d),
                output,
                d,
                h);
    }

    private float[] part(String name, int expert, int rows, int columns) throws IOException {
        return checkpoint.part(name, expert, numExperts, numExperts, rows, columns);
    }

    @Override
    public List<byte[]> sharedExperts(String layer) throws IOException {
        return checkpoint.config().flag("bias", true)
                ? List.of(ExpertGraphs.constant(checkpoint.floats(layer + ".mlp.bias", d)))
                : List.of();
    }
}
