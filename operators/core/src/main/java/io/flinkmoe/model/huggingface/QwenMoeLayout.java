// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * Qwen3-MoE and OLMoE (transformers' {@code models/qwen3_moe} and {@code olmoe}), and the base of
 * Qwen2-MoE, which names its tensors alike. Layer i is an MoE layer if decoder_sparse_step divides
 * i + 1 and mlp_only_layers does not contain i.
 */
@Internal
class QwenMoeLayout extends CheckpointLayout {
    private static final String ROUTER = ".mlp.gate.weight";

    final GatedExperts experts;
    private final String intermediateSizeKey;
    private final float defaultEps;

    /**
     * @param intermediateSizeKey the key of h in config.json
     * @param defaultEps the epsilon of the norm if config.json has none
     */
    QwenMoeLayout(Checkpoint checkpoint, String intermediateSizeKey, float defaultEps)
            throws CheckpointException {
        super(
                checkpoint,
                checkpoint.config().activation("hidden_act", "silu"),
                "hidden_size",
                "num_experts",
                "num_local_experts");
        experts = new GatedExperts(checkpoint, GatedExperts.Names.PROJECTIONS, hiddenSize);
        this.intermediateSizeKey = intermediateSizeKey;
        this.defaultEps = defaultEps;
    }

    static QwenMoeLayout qwen3(Checkpoint checkpoint) throws CheckpointException {
        return new QwenMoeLayout(checkpoint, "moe_intermediate_size", 1e-6f);
    }

    static QwenMoeLayout olmoe(Checkpoint checkpoint) throws CheckpointException {
        return new QwenMoeLayout(checkpoint, "intermediate_size", 1e-5f);
    }

    @Override
    final List<String> layers() throws CheckpointException {
        int step = config.positiveInt("decoder_sparse_step", 1);
        Set<Integer> dense = Set.copyOf(config.integers("mlp_only_layers"));
        return decoderLayers(layer -> (layer + 1) % step == 0 && !dense.contains(layer), ROUTER);
    }

    @Override
    final RoutingConfig routing(String layer) throws CheckpointException {
        return RoutingConfig.softmax(numExperts, numExpertsPerTok("num_experts_per_tok"))
                .normalized(config.flag("norm_topk_prob", false));
    }

    @Override
    final Optional<FileContent> norm(String layer) throws IOException {
        return rmsNorm(layer + ".post_attention_layernorm.weight", "rms_norm_eps", defaultEps);
    }

    @Override
    final FileContent router(String layer) throws IOException {
        return linearRouter(layer + ROUTER);
    }

    @Override
    final FileContent expert(String layer, int expert) throws IOException {
        int h = config.positiveInt(intermediateSizeKey);
        return ExpertGraphs.gated(
                activation,
                experts.expert(layer + ".mlp.experts", expert, numExperts, h),
                hiddenSize,
                h);
    }
}
