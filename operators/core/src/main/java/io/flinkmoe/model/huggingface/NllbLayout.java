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
 * NLLB-MoE (transformers' {@code models/nllb_moe}). In encoder and decoder, layer i is an MoE layer
 * if sparse_step divides i + 1. Experts are two matrices with biases; their outputs are multiplied
 * by 1 - moe_token_dropout at inference.
 */
@Internal
final class NllbLayout extends CheckpointLayout {
    private static final String ROUTER = ".ffn.router.classifier.weight";

    private final float outputScale;

    NllbLayout(Checkpoint checkpoint) throws CheckpointException {
        super(
                checkpoint,
                checkpoint.config().activation("activation_function", "relu"),
                "d_model",
                "num_experts");
        config.requireNoRouterBias();
        config.requireText("second_expert_policy", "all");
        double dropout = config.number("moe_token_dropout", 0.2);
        if (!(dropout >= 0 && dropout < 1)) {
            throw config.invalid("moe_token_dropout", "0 or more, and below 1");
        }
        outputScale = (float) (1 - dropout);
    }

    @Override
    List<String> layers() throws CheckpointException {
        return Stream.concat(layersOf("encoder").stream(), layersOf("decoder").stream()).toList();
    }

    private List<String> layersOf(String side) throws CheckpointException {
        int step = config.count(side + "_sparse_step", 4);
        return layers(
                new LayerStack("model.", side + ".layers.%d", List.of(ROUTER)),
                config.positiveInt(side + "_layers"),
                layer -> step > 0 && (layer + 1) % step == 0);
    }

    @Override
    RoutingConfig routing(String layer) {
        return RoutingConfig.mixtral(numExperts, 2);
    }

    @Override
    Optional<FileContent> norm(String layer) throws IOException {
        return layerNorm(layer + ".ff_layer_norm", true);
    }

    @Override
    FileContent router(String layer) throws IOException {
        return linearRouter(layer + ROUTER);
    }

    @Override
    FileContent expert(String layer, int expert) throws IOException {
        String name = "%s.ffn.experts.expert_%d".formatted(layer, expert);
        boolean inEncoder = layer.contains("encoder.layers.");
        int h = config.positiveInt(inEncoder ? "encoder_ffn_dim" : "decoder_ffn_dim");
        return ExpertGraphs.plain(
                activation,
                new Plain(
                        checkpoint.matrix(name + ".fc1.weight", h, hiddenSize),
                        checkpoint.floats(name + ".fc1.bias", h),
                        checkpoint.matrix(name + ".fc2.weight", hiddenSize, h),
                        checkpoint.floats(name + ".fc2.bias", hiddenSize)),
                outputScale,
                hiddenSize,
                h);
    }
}
