// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * Mixtral (transformers' {@code models/mixtral}). Every layer is an MoE layer. An expert's w1 is
 * the gate projection, w3 the up projection, w2 the down projection. Router and experts are in
 * {@code block_sparse_moe} or, as newer versions of transformers name it, in {@code mlp}.
 */
@Internal
final class MixtralLayout extends CheckpointLayout {
    private static final String PUBLISHED_ROUTER = ".block_sparse_moe.gate.weight";
    private static final String NEWER_ROUTER = ".mlp.gate.weight";

    private final GatedExperts experts;

    MixtralLayout(Checkpoint checkpoint) throws CheckpointException {
        super(
                checkpoint,
                checkpoint.config().activation("hidden_act", "silu"),
                "hidden_size",
                "num_local_experts",
                "num_experts");
        experts = new GatedExperts(checkpoint, GatedExperts.Names.NUMBERS, hiddenSize);
    }

    @Override
    List<String> layers() throws CheckpointException {
        return decoderLayers(layer -> true, PUBLISHED_ROUTER, NEWER_ROUTER);
    }

    @Override
    RoutingConfig routing(String layer) throws CheckpointException {
        return RoutingConfig.mixtral(numExperts, numExpertsPerTok("num_experts_per_tok"));
    }

    @Override
    Optional<FileContent> norm(String layer) throws IOException {
        return rmsNorm(layer + ".post_attention_layernorm.weight", "rms_norm_eps", 1e-5f);
    }

    @Override
    FileContent router(String layer) throws IOException {
        return linearRouter(layer + (isNewer(layer) ? NEWER_ROUTER : PUBLISHED_ROUTER));
    }

    @Override
    FileContent expert(String layer, int expert) throws IOException {
        String name = layer + (isNewer(layer) ? ".mlp" : ".block_sparse_moe") + ".experts";
        int h = config.positiveInt("intermediate_size");
        return ExpertGraphs.gated(
                activation, experts.expert(name, expert, numExperts, h), hiddenSize, h);
    }

    private boolean isNewer(String layer) {
        return checkpoint.contains(layer + NEWER_ROUTER);
    }
}
