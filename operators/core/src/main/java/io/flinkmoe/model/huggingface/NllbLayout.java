// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * NLLB-MoE (transformers' {@code models/nllb_moe}). In encoder and decoder, layer i is an MoE layer
 * if sparse_step divides i + 1. Experts are two matrices with biases; their outputs are multiplied
 * by 1 - moe_token_dropout at inference. Tensor names begin with {@code model.} in a checkpoint of
 * the whole translation model, not in one of the bare model.
 */
@Internal
final class NllbLayout extends CheckpointLayout {
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
                (checkpoint.containsPrefix("model.") ? "model." : "") + side + ".layers.%d",
                config.positiveInt(side + "_layers"),
                layer -> step > 0 && (layer + 1) % step == 0);
    }

    @Override
    RoutingConfig routing(String layer) {
        return RoutingConfig.mixtral(numExperts, 2);
    }

    @Override
    Optional<byte[]> norm(String layer) throws IOException {
        return layerNorm(layer + ".ff_layer_norm", true);
    }

    @Override
    byte[] router(String layer) throws IOException {
        return linearRouter(layer + ".ffn.router.classifier.weight");
    }

    @Override
    byte[] expert(String layer, int expert) throws IOException {
        String name = "%s.ffn.experts.expert_%d".formatted(layer, expert);
        boolean inEncoder = layer.contains("encoder.");
        int h = config.positiveInt(inEncoder ? "encoder_ffn_dim" : "decoder_ffn_dim");
        return ExpertGraphs.plain(
                activation,
                checkpoint.floats(name + ".fc1.weight", h, hiddenSize),
                checkpoint.floats(name + ".fc1.bias", h),
                checkpoint.floats(name + ".fc2.weight", hiddenSize, h),
                checkpoint.floats(name + ".fc2.bias", hiddenSize),
                outputScale,
                hiddenSize,
                h);
    }
}
