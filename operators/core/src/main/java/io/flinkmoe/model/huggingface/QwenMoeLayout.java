package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.Activation;
import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.Set;

/**
 * Qwen2-MoE, Qwen3-MoE and OLMoE (transformers' {@code models/qwen2_moe}, {@code qwen3_moe}, {@code
 * olmoe}), which name their tensors alike. Layer i is sparse if decoder_sparse_step divides i + 1
 * and mlp_only_layers does not list i. Qwen2 has a shared expert of its own width, scaled by a
 * sigmoid.
 */
final class QwenMoeLayout implements CheckpointLayout {
    private final Checkpoint checkpoint;
    private final Activation activation;
    private final int d;
    private final int h;
    private final int sharedH;
    private final int numExperts;
    private final int topK;
    private final boolean normTopKProb;
    private final float eps;
    private final List<String> layers;

    /**
     * @param sizeKey the key of h in config.json
     * @param sharedSizeKey the key of the shared expert's inner size, or null if there is none
     */
    private QwenMoeLayout(
            Checkpoint checkpoint, String sizeKey, String sharedSizeKey, float defaultEps)
            throws CheckpointException {
        this.checkpoint = checkpoint;
        activation = LayoutParts.activation(checkpoint, "hidden_act", "silu");
        if (sharedSizeKey != null && activation != Activation.SILU) {
            throw checkpoint.config().badConfig("hidden_act", "\"silu\", as the shared expert has");
        }
        d = checkpoint.config().positiveInt("hidden_size");
        h = checkpoint.config().positiveInt(sizeKey);
        sharedH = sharedSizeKey == null ? 0 : checkpoint.config().positiveInt(sharedSizeKey);
        numExperts = checkpoint.config().positiveInt("num_experts");
        topK = LayoutParts.topK(checkpoint, "num_experts_per_tok", "num_experts");
        normTopKProb = checkpoint.config().flag("norm_topk_prob", false);
        eps = checkpoint.config().positiveFloat("rms_norm_eps", defaultEps);
        int step = LayoutParts.step(checkpoint, "decoder_sparse_step");
        Set<Integer> dense = Set.copyOf(checkpoint.config().integers("mlp_only_layers"));
        layers =
                LayoutParts.layers(
                        checkpoint,
                        "model.layers.%d",
                        checkpoint.config().positiveInt("num_hidden_layers"),
                        layer -> (layer + 1) % step == 0 && !dense.contains(layer));
    }

    static QwenMoeLayout qwen2(Checkpoint checkpoint) throws CheckpointException {
        return new QwenMoeLayout(
                checkpoint, "moe_intermediate_size", "shared_expert_intermediate_size", 1e-6f);
    }

    static QwenMoeLayout qwen3(Checkpoint checkpoint) throws CheckpointException {
        return new QwenMoeLayout(checkpoint, "moe_intermediate_size", null, 1e-6f);
    }

    static QwenMoeLayout olmoe(Checkpoint checkpoint) throws CheckpointException {
        return new QwenMoeLayout(checkpoint, "intermediate_size", null, 1e-5f);
    }

    @Override
    public int hiddenSize() {
        return d;
    }

    @Override
    public List<String> layers() {
        return layers;
    }

    @Override
    public RoutingConfig routing(String layer) {
        return RoutingConfig.softmax(numExperts, topK).normalized(normTopKProb);
    }

    @Override
    public byte[] norm(String layer) throws IOException {
        return LayoutParts.rmsNorm(checkpoint, layer + ".post_attention_layernorm.weight", d, eps);
    }

    @Override
    public byte[] router(String layer) throws IOException {
        return LayoutParts.router(checkpoint, layer + ".mlp.gate.weight", numExperts, d);
    }

    @Override
    public byte[] expert(String layer, int expert) throws IOException {
        String name = "%s.mlp.experts.%d".formatted(layer, expert);
        return LayoutParts.gated(checkpoint, activation, name, d, h);
    }

    @Override
    public List<byte[]> sharedExperts(String layer) throws IOException {
        if (sharedH == 0) {
            return List.of();
        }
        String name = layer + ".mlp.shared_expert";
        return List.of(
                ExpertGraphs.sharedWithGate(
                        checkpoint.floats(name + "_gate.weight", 1, d),
                        checkpoint.floats(name + ".gate_proj.weight", sharedH, d),
                        checkpoint.floats(name + ".up_proj.weight", sharedH, d),
                        checkpoint.floats(name + ".down_proj.weight", d, sharedH),
                        d,
                        sharedH));
    }
}
