package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.Activation;
import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.model.NormGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;

/**
 * NLLB-MoE (transformers' {@code models/nllb_moe}): every sparse_step-th layer of encoder and
 * decoder is sparse, the last of each step. Experts are two matrices with biases, and their outputs
 * are multiplied by 1 - moe_token_dropout at inference. Tensors of the whole translation model
 * begin with {@code model.}, those of the bare model do not.
 */
final class NllbLayout implements CheckpointLayout {
    /** PyTorch's default; config.json has no key for it. */
    private static final float EPS = 1e-5f;

    private final Checkpoint checkpoint;
    private final Activation activation;
    private final int d;
    private final int numExperts;
    private final float outputScale;
    private final List<String> layers;

    NllbLayout(Checkpoint checkpoint) throws CheckpointException {
        this.checkpoint = checkpoint;
        LayoutParts.requireNoRouterBias(checkpoint);
        if (!checkpoint.config().text("second_expert_policy", "all").equals("all")) {
            throw checkpoint
                    .config()
                    .badConfig(
                            "second_expert_policy",
                            "\"all\"; a second expert by chance is not supported");
        }
        activation = LayoutParts.activation(checkpoint, "activation_function", "relu");
        d = checkpoint.config().positiveInt("d_model");
        numExperts = checkpoint.config().positiveInt("num_experts");
        double dropout = checkpoint.config().number("moe_token_dropout", 0.2);
        if (!(dropout >= 0 && dropout < 1)) {
            throw checkpoint.config().badConfig("moe_token_dropout", "0 or more, and below 1");
        }
        outputScale = (float) (1 - dropout);
        layers = Stream.concat(sparse("encoder").stream(), sparse("decoder").stream()).toList();
    }

    private List<String> sparse(String side) throws CheckpointException {
        int step = checkpoint.config().count(side + "_sparse_step", 4);
        return LayoutParts.layers(
                checkpoint,
                (checkpoint.containsPrefix("model.") ? "model." : "") + side + ".layers.%d",
                checkpoint.config().positiveInt(side + "_layers"),
                layer -> step > 0 && (layer + 1) % step == 0);
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
        return RoutingConfig.mixtral(numExperts, 2);
    }

    @Override
    public byte[] norm(String layer) throws IOException {
        String name = layer + ".ff_layer_norm";
        return checkpoint.contains(name + ".weight")
                ? NormGraphs.layerNorm(
                        checkpoint.floats(name + ".weight", d),
                        checkpoint.floats(name + ".bias", d),
                        d,
                        EPS)
                : null;
    }

    @Override
    public byte[] router(String layer) throws IOException {
        return LayoutParts.router(
                checkpoint, layer + ".ffn.router.classifier.weight", numExperts, d);
    }

    @Override
    public byte[] expert(String layer, int expert) throws IOException {
        String name = "%s.ffn.experts.expert_%d".formatted(layer, expert);
        int h =
                checkpoint
                        .config()
                        .positiveInt(
                                layer.contains("encoder.") ? "encoder_ffn_dim" : "decoder_ffn_dim");
        return ExpertGraphs.plain(
                activation,
                checkpoint.floats(name + ".fc1.weight", h, d),
                checkpoint.floats(name + ".fc1.bias", h),
                checkpoint.floats(name + ".fc2.weight", d, h),
                checkpoint.floats(name + ".fc2.bias", d),
                outputScale,
                d,
                h);
    }
}
