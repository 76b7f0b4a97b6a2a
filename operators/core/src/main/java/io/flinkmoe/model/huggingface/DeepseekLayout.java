package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.Activation;
import io.flinkmoe.routing.GroupLimit;
import io.flinkmoe.routing.GroupLimit.GroupMask;
import io.flinkmoe.routing.GroupLimit.GroupScore;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * DeepSeekMoE, DeepSeek-V2 and DeepSeek-V3 (each checkpoint's {@code modeling_deepseek.py}). Layer
 * i is sparse from first_k_dense_replace on where moe_layer_freq divides i; V3's layers for
 * multi-token prediction, behind the last, are not read. The shared experts are one gated expert of
 * n_shared_experts times the width.
 *
 * <p>Weights: divided by their sum if norm_topk_prob and k > 1; multiplied by routed_scaling_factor
 * never in v1, only if not divided in V2, always in V3.
 */
final class DeepseekLayout implements CheckpointLayout {
    private final Checkpoint checkpoint;
    private final int version;
    private final Activation activation;
    private final int d;
    private final int h;
    private final int sharedH;
    private final int numExperts;
    private final int topK;
    private final List<String> layers;

    private DeepseekLayout(Checkpoint checkpoint, int version) throws CheckpointException {
        this.checkpoint = checkpoint;
        this.version = version;
        activation = LayoutParts.activation(checkpoint, "hidden_act", "silu");
        d = checkpoint.config().positiveInt("hidden_size");
        h = checkpoint.config().positiveInt("moe_intermediate_size");
        sharedH = sharedWidth(checkpoint.config());
        numExperts = checkpoint.config().positiveInt("n_routed_experts");
        topK = LayoutParts.topK(checkpoint, "num_experts_per_tok", "n_routed_experts");
        require("scoring_func", version == 3 ? "sigmoid" : "softmax");
        int firstSparse = checkpoint.config().count("first_k_dense_replace", 0);
        int frequency = LayoutParts.step(checkpoint, "moe_layer_freq");
        layers =
                LayoutParts.layers(
                        checkpoint,
                        "model.layers.%d",
                        checkpoint.config().positiveInt("num_hidden_layers"),
                        layer -> layer >= firstSparse && layer % frequency == 0);
    }

    static DeepseekLayout v1(Checkpoint checkpoint) throws CheckpointException {
        return new DeepseekLayout(checkpoint, 1);
    }

    static DeepseekLayout v2(Checkpoint checkpoint) throws CheckpointException {
        return new DeepseekLayout(checkpoint, 2);
    }

    static DeepseekLayout v3(Checkpoint checkpoint) throws CheckpointException {
        return new DeepseekLayout(checkpoint, 3);
    }

    private int sharedWidth(CheckpointConfig config) throws CheckpointException {
        long width = (long) h * config.count("n_shared_experts", 0);
        if (width > Integer.MAX_VALUE) {
            throw config.badConfig(
                    "n_shared_experts",
                    "at most %d times moe_intermediate_size, which is %d"
                            .formatted(Integer.MAX_VALUE / h, h));
        }
        return (int) width;
    }

    private void require(String key, String only) throws CheckpointException {
        if (!checkpoint.config().text(key, only).equals(only)) {
            throw checkpoint.config().badConfig(key, "\"%s\"".formatted(only));
        }
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
    public RoutingConfig routing(String layer) throws IOException {
        boolean normalize = topK > 1 && checkpoint.config().flag("norm_topk_prob", version == 3);
        return switch (version) {
            case 1 -> {
                require("topk_method", "greedy");
                yield RoutingConfig.softmax(numExperts, topK).normalized(normalize);
            }
            case 2 -> {
                RoutingConfig v2 =
                        limited(RoutingConfig.softmax(numExperts, topK)).normalized(normalize);
                yield normalize ? v2 : v2.scaledBy(scalingFactor(1));
            }
            default -> {
                require("topk_method", "noaux_tc");
                yield limited(RoutingConfig.sigmoid(numExperts, topK))
                        .biased(bias(layer))
                        .normalized(normalize)
                        .scaledBy(scalingFactor(2.5));
            }
        };
    }

    private float scalingFactor(double defaultValue) throws CheckpointException {
        return (float) checkpoint.config().number("routed_scaling_factor", defaultValue);
    }

    private RoutingConfig limited(RoutingConfig routing) throws CheckpointException {
        if (version == 2) {
            String method = checkpoint.config().text("topk_method", "greedy");
            if (method.equals("greedy")) {
                return routing;
            }
            if (!method.equals("group_limited_greedy")) {
                throw checkpoint
                        .config()
                        .badConfig("topk_method", "\"greedy\" or \"group_limited_greedy\"");
            }
        }
        int groups = checkpoint.config().positiveInt("n_group");
        int kept = checkpoint.config().positiveInt("topk_group");
        if (kept == groups) {
            return routing;
        }
        return routing.limitedTo(
                version == 2
                        ? new GroupLimit(groups, kept, GroupScore.MAX, GroupMask.ZERO)
                        : new GroupLimit(groups, kept, GroupScore.TOP2_SUM, GroupMask.NEG_INF));
    }

    private List<Float> bias(String layer) throws IOException {
        List<Float> bias = new ArrayList<>();
        for (float b : checkpoint.floats(layer + ".mlp.gate.e_score_correction_bias", numExperts)) {
            bias.add(b);
        }
        return bias;
    }

    @Override
    public byte[] norm(String layer) throws IOException {
        float eps = checkpoint.config().positiveFloat("rms_norm_eps", 1e-6f);
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
        String name = layer + ".mlp.shared_experts";
        return List.of(LayoutParts.gated(checkpoint, activation, name, d, sharedH));
    }
}
