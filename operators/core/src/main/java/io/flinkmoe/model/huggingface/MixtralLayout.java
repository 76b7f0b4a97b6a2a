// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * Mixtral (transformers' {@code models/mixtral}). Every layer is an MoE layer. An expert's w1 is
 * the gate projection, w3 the up projection, w2 the down projection.
 */
@Internal
final class MixtralLayout extends CheckpointLayout {

    MixtralLayout(Checkpoint checkpoint) throws CheckpointException {
        super(
                checkpoint,
                checkpoint.config().activation("hidden_act", "silu"),
                "hidden_size",
                "num_local_experts");
    }

    @Override
    List<String> layers() throws CheckpointException {
        return decoderLayers(layer -> true);
    }

    @Override
    RoutingConfig routing(String layer) throws CheckpointException {
        return RoutingConfig.mixtral(numExperts, numExpertsPerTok("num_experts_per_tok"));
    }

    @Override
    Optional<byte[]> norm(String layer) throws IOException {
        return rmsNorm(layer + ".post_attention_layernorm.weight", "rms_norm_eps", 1e-5f);
    }

    @Override
    byte[] router(String layer) throws IOException {
        return linearRouter(layer + ".block_sparse_moe.gate.weight");
    }

    @Override
    byte[] expert(String layer, int expert) throws IOException {
        String name = "%s.block_sparse_moe.experts.%d".formatted(layer, expert);
        int h = config.positiveInt("intermediate_size");
        return ExpertGraphs.gated(
                activation,
                checkpoint.floats(name + ".w1.weight", h, hiddenSize),
                checkpoint.floats(name + ".w3.weight", h, hiddenSize),
                checkpoint.floats(name + ".w2.weight", hiddenSize, h),
                hiddenSize,
                h);
    }
}
