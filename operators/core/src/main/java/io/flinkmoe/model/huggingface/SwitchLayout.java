package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.Activation;
import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;

/**
 * Switch Transformers (transformers' {@code models/switch_transformers}): every sparse_step-th
 * block of encoder and decoder is sparse, beginning with block 1. Experts are two matrices without
 * bias; the norm is T5's, without mean and bias.
 */
final class SwitchLayout implements CheckpointLayout {
    private final Checkpoint checkpoint;
    private final Activation activation;
    private final int d;
    private final int h;
    private final int numExperts;
    private final List<String> layers;

    SwitchLayout(Checkpoint checkpoint) throws CheckpointException {
        this.checkpoint = checkpoint;
        LayoutParts.requireNoRouterBias(checkpoint);
        activation = LayoutParts.activation(checkpoint, "dense_act_fn", "relu");
        d = checkpoint.config().positiveInt("d_model");
        h = checkpoint.config().positiveInt("d_ff");
        numExperts = checkpoint.config().positiveInt("num_experts");
        int encoderLayers = checkpoint.config().positiveInt("num_layers");
        int decoderLayers = checkpoint.config().count("num_decoder_layers", encoderLayers);
        layers =
                Stream.concat(
                                sparse("encoder", 1, encoderLayers).stream(),
                                sparse("decoder", 2, decoderLayers).stream())
                        .toList();
    }

    /** The sparse layers of one side, whose MLP is sublayer {@code sublayer} of a block. */
    private List<String> sparse(String side, int sublayer, int count) throws CheckpointException {
        int sparseLayers = checkpoint.config().count("num_sparse_%s_layers".formatted(side), 3);
        int step =
                checkpoint
                        .config()
                        .count(side + "_sparse_step", sparseLayers == 0 ? 0 : count / sparseLayers);
        return LayoutParts.layers(
                checkpoint,
                side + ".block.%d.layer." + sublayer,
                count,
                block -> step == 1 || step > 0 && block % step == 1);
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
        return RoutingConfig.softmax(numExperts, 1);
    }

    @Override
    public byte[] norm(String layer) throws IOException {
        float eps = checkpoint.config().positiveFloat("layer_norm_epsilon", 1e-6f);
        return LayoutParts.rmsNorm(checkpoint, layer + ".layer_norm.weight", d, eps);
    }

    @Override
    public byte[] router(String layer) throws IOException {
        return LayoutParts.router(
                checkpoint, layer + ".mlp.router.classifier.weight", numExperts, d);
    }

    @Override
    public byte[] expert(String layer, int expert) throws IOException {
        String name = "%s.mlp.experts.expert_%d".formatted(layer, expert);
        return ExpertGraphs.plain(
                activation,
                checkpoint.floats(name + ".wi.weight", h, d),
                null,
                checkpoint.floats(name + ".wo.weight", d, h),
                null,
                d,
                h);
    }
}
