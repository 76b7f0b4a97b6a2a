// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.ExpertGraphs.Gated;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * The MLP experts of JetMoE (myshell-ai/JetMoE, transformers' {@code models/jetmoe}); the attention
 * experts are not read. The tensor input_linear is [N, 2h, d], gate projection first; output_linear
 * is [N, d, h]. A bias [d] is added once per token, whichever experts it visits; it becomes a
 * shared expert.
 *
 * <p>config.json has the keys of the original publication (moe_num_experts, moe_top_k,
 * ffn_hidden_size) or those of transformers (num_local_experts, num_experts_per_tok,
 * intermediate_size).
 */
@Internal
final class JetMoeLayout extends CheckpointLayout {
    private static final String ROUTER = ".mlp.router.layer.weight";

    private final GatedExperts experts;

    JetMoeLayout(Checkpoint checkpoint) throws CheckpointException {
        super(
                checkpoint,
                checkpoint.config().activation("activation_function", "silu"),
                "hidden_size",
                isOriginal(checkpoint.config()) ? "moe_num_experts" : "num_local_experts");
        experts = new GatedExperts(checkpoint, GatedExperts.Names.PROJECTIONS, hiddenSize);
        if (!config.flag("glu", true)) {
            throw config.invalid("glu", "true; experts without a gate are not supported");
        }
    }

    private static boolean isOriginal(CheckpointConfig config) {
        return config.has("moe_num_experts");
    }

    @Override
    List<String> layers() throws CheckpointException {
        return decoderLayers(layer -> true, ROUTER);
    }

    /** A softmax over the k largest logits, as in Mixtral. */
    @Override
    RoutingConfig routing(String layer) throws CheckpointException {
        String key = isOriginal(config) ? "moe_top_k" : "num_experts_per_tok";
        return RoutingConfig.mixtral(numExperts, numExpertsPerTok(key));
    }

    @Override
    Optional<FileContent> norm(String layer) throws IOException {
        return rmsNorm(layer + ".post_attention_layernorm.weight", "rms_norm_eps", 1e-6f);
    }

    @Override
    FileContent router(String layer) throws IOException {
        return linearRouter(layer + ROUTER);
    }

    @Override
    FileContent expert(String layer, int expert) throws IOException {
        int h = config.positiveInt(isOriginal(config) ? "ffn_hidden_size" : "intermediate_size");
        Gated weights =
                experts.fused(
                        layer + ".mlp.input_linear.weight",
                        layer + ".mlp.output_linear.weight",
                        expert,
                        numExperts,
                        h);
        return ExpertGraphs.gated(activation, weights, hiddenSize, h);
    }

    @Override
    List<FileContent> sharedExperts(String layer) throws IOException {
        return config.flag("bias", true)
                ? List.of(
                        FileContent.of(
                                ExpertGraphs.constant(
                                        checkpoint.floats(layer + ".mlp.bias", hiddenSize))))
                : List.of();
    }
}
