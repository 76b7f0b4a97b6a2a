// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.routing.GroupLimit;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * DeepSeekMoE (the checkpoint's {@code modeling_deepseek.py}), and the base of DeepSeek-V2 and V3,
 * which differ in the routing. Layer i is an MoE layer if first_k_dense_replace ≤ i, and if
 * moe_layer_freq divides i or, if it is a list, has a 1 for i. The shared experts are stored as one
 * gated expert of n_shared_experts times the inner size.
 */
@Internal
class DeepseekLayout extends CheckpointLayout {
    private static final String ROUTER = ".mlp.gate.weight";

    private final GatedExperts experts;
    private final int intermediateSize;
    private final int sharedIntermediateSize;

    DeepseekLayout(Checkpoint checkpoint) throws CheckpointException {
        super(
                checkpoint,
                checkpoint.config().activation("hidden_act", "silu"),
                "hidden_size",
                "n_routed_experts",
                "num_local_experts",
                "num_experts");
        experts = new GatedExperts(checkpoint, GatedExperts.Names.PROJECTIONS, hiddenSize);
        intermediateSize = config.positiveInt("moe_intermediate_size");
        long shared = (long) intermediateSize * config.count("n_shared_experts", 0);
        if (shared > Integer.MAX_VALUE) {
            throw config.invalid(
                    "n_shared_experts",
                    "at most %d, since moe_intermediate_size is %d"
                            .formatted(Integer.MAX_VALUE / intermediateSize, intermediateSize));
        }
        sharedIntermediateSize = (int) shared;
    }

    @Override
    final List<String> layers() throws CheckpointException {
        int firstMoe = config.count("first_k_dense_replace", 0);
        if (config.isList("moe_layer_freq")) {
            int layers = config.positiveInt("num_hidden_layers");
            List<Boolean> isMoe = config.flagOfEachLayer("moe_layer_freq", layers);
            return decoderLayers(layer -> layer >= firstMoe && isMoe.get(layer), ROUTER);
        }
        int frequency = config.positiveInt("moe_layer_freq", 1);
        return decoderLayers(layer -> layer >= firstMoe && layer % frequency == 0, ROUTER);
    }

    /** The weights are divided by their sum if norm_topk_prob says so, and not scaled. */
    @Override
    RoutingConfig routing(String layer) throws IOException {
        config.requireText("scoring_func", "softmax");
        config.requireText("topk_method", "greedy");
        int k = numExpertsPerTok("num_experts_per_tok");
        return RoutingConfig.softmax(numExperts, k).normalized(normalizes(k, false));
    }

    /** Whether the weights are divided by their sum; the weight of a single expert never is. */
    final boolean normalizes(int k, boolean defaultValue) throws CheckpointException {
        return k > 1 && config.flag("norm_topk_prob", defaultValue);
    }

    /**
     * Limits the selection to topk_group of n_group groups, unless that is all of them. If n_group
     * is null, there are no groups.
     *
     * @param published the family's limit, whose numbers count if config.json has no n_group
     */
    final RoutingConfig limited(RoutingConfig routing, GroupLimit published)
            throws CheckpointException {
        if (config.isNull("n_group")) {
            return routing;
        }
        int groups = config.positiveInt("n_group", published.nGroup());
        boolean isPublished = !config.has("n_group") || groups == 1;
        int kept =
                isPublished
                        ? config.positiveInt("topk_group", Math.min(groups, published.topkGroup()))
                        : config.positiveInt("topk_group");
        return kept == groups
                ? routing
                : routing.limitedTo(
                        new GroupLimit(groups, kept, published.groupScore(), published.mask()));
    }

    final float routedScalingFactor(double defaultValue) throws CheckpointException {
        return (float) config.number("routed_scaling_factor", defaultValue);
    }

    @Override
    final Optional<FileContent> norm(String layer) throws IOException {
        return rmsNorm(layer + ".post_attention_layernorm.weight", "rms_norm_eps", 1e-6f);
    }

    @Override
    final FileContent router(String layer) throws IOException {
        return linearRouter(layer + ROUTER);
    }

    @Override
    final FileContent expert(String layer, int expert) throws IOException {
        int h = intermediateSize;
        return ExpertGraphs.gated(
                activation,
                experts.expert(layer + ".mlp.experts", expert, numExperts, h),
                hiddenSize,
                h);
    }

    @Override
    final List<FileContent> sharedExperts(String layer) throws IOException {
        int h = sharedIntermediateSize;
        if (h == 0) {
            return List.of();
        }
        return List.of(
                ExpertGraphs.gated(
                        activation,
                        experts.single(layer + ".mlp.shared_experts", h),
                        hiddenSize,
                        h));
    }
}
