package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.Activation;
import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;

/** Mixtral (transformers' {@code models/mixtral}): every layer is sparse, w1 is the gate. */
final class MixtralLayout implements CheckpointLayout {
    private final Checkpoint checkpoint;
    private final Activation activation;
    private final int d;
    private final int h;
    private final int numExperts;
    private final int topK;
    private final List<String> layers;

    MixtralLayout(Checkpoint checkpoint) throws CheckpointException {
        this.checkpoint = checkpoint;
        activation = LayoutParts.activation(checkpoint, "hidden_act", "silu");
        d = checkpoint.config().positiveInt("hidden_size");
        h = checkpoint.config().positiveInt("intermediate_size");
        numExperts = checkpoint.config().positiveInt("num_local_experts");
        topK = LayoutParts.topK(checkpoint, "num_experts_per_tok", "num_local_experts");
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

    @Override
    public RoutingConfig routing(String layer) {
        return RoutingConfig.mixtral(numExperts, topK);
    }

    @Override
    public byte[] norm(String layer) throws IOException {
        float eps = checkpoint.config().positiveFloat("rms_norm_eps", 1e-5f);
        return LayoutParts.rmsNorm(checkpoint, layer + ".post_attention_layernorm.weight", d, eps);
    }

    @Override
    public byte[] router(String layer) throws IOException {
        return LayoutParts.router(
                checkpoint, layer + ".block_sparse_moe.gate.weight", numExperts, d);
    }

    @Override
    public byte[] expert(String layer, int expert) throws IOException {
        String name = "%s.block_sparse_moe.experts.%d".formatted(layer, expert);
        return ExpertGraphs.gated(
                activation,
                checkpoint.floats(name + ".w1.weight", h, d),
                checkpoint.floats(name + ".w3.weight", h, d),
                checkpoint.floats(name + ".w2.weight", d, h),
                d,
                h);
    }
}
