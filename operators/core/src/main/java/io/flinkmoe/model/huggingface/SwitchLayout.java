// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.ExpertGraphs.Plain;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * Switch Transformers (transformers' {@code models/switch_transformers}). In encoder and decoder,
 * every sparse_step-th block has an MoE layer, beginning with block 1. Experts are two matrices
 * without bias. The norm is a root mean square norm, as in T5.
 */
@Internal
final class SwitchLayout extends CheckpointLayout {
    private static final String ROUTER = ".mlp.router.classifier.weight";

    SwitchLayout(Checkpoint checkpoint) throws CheckpointException {
        super(
                checkpoint,
                checkpoint.config().activation("dense_act_fn", "relu"),
                "d_model",
                "num_experts");
        config.requireNoRouterBias();
    }

    @Override
    List<String> layers() throws CheckpointException {
        int encoderLayers = config.positiveInt("num_layers");
        int decoderLayers = config.count("num_decoder_layers", encoderLayers);
        return Stream.concat(
                        layersOf("encoder", 1, encoderLayers).stream(),
                        layersOf("decoder", 2, decoderLayers).stream())
                .toList();
    }

    /**
     * The MoE layers of encoder or decoder.
     *
     * @param sublayer the index of the MLP in a block
     */
    private List<String> layersOf(String side, int sublayer, int count) throws CheckpointException {
        int sparseLayers = config.count("num_sparse_%s_layers".formatted(side), 3);
        int defaultStep = sparseLayers == 0 ? 0 : count / sparseLayers;
        int step = config.count(side + "_sparse_step", defaultStep);
        return layers(
                new LayerStack("", side + ".block.%d.layer." + sublayer, List.of(ROUTER)),
                count,
                block -> step == 1 || step > 0 && block % step == 1);
    }

    @Override
    RoutingConfig routing(String layer) {
        return RoutingConfig.softmax(numExperts, 1);
    }

    @Override
    Optional<FileContent> norm(String layer) throws IOException {
        return rmsNorm(layer + ".layer_norm.weight", "layer_norm_epsilon", 1e-6f);
    }

    @Override
    FileContent router(String layer) throws IOException {
        return linearRouter(layer + ROUTER);
    }

    @Override
    FileContent expert(String layer, int expert) throws IOException {
        String name = "%s.mlp.experts.expert_%d".formatted(layer, expert);
        int h = config.positiveInt("d_ff");
        return ExpertGraphs.plain(
                activation,
                new Plain(
                        checkpoint.matrix(name + ".wi.weight", h, hiddenSize),
                        null,
                        checkpoint.matrix(name + ".wo.weight", hiddenSize, h),
                        null),
                1,
                hiddenSize,
                h);
    }
}
