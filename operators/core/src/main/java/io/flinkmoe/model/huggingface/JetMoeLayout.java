// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.Arrays;
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

    JetMoeLayout(Checkpoint checkpoint) throws CheckpointException {
        super(
                checkpoint,
                checkpoint.config().activation("activation_function", "silu"),
                "hidden_size",
                isOriginal(checkpoint.config()) ? "moe_num_experts" : "num_local_experts");
        if (!config.flag("glu", true)) {
            throw config.invalid("glu", "true; experts without a gate are not supported");
        }
    }

    private static boolean isOriginal(CheckpointConfig config) {
        return config.has("moe_num_experts");
    }

    @Override
    List<String> layers() throws CheckpointException {
        return decoderLayers(layer -> true);
    }

    /** A softmax over the k largest logits, as in Mixtral. */
    @Override
    RoutingConfig routing(String layer) throws CheckpointException {
        String key = isOriginal(config) ? "moe_top_k" : "num_experts_per_tok";
        return RoutingConfig.mixtral(numExperts, numExpertsPerTok(key));
    }

    @Override
    Optional<byte[]> norm(String layer) throws IOException {
        return rmsNorm(layer + ".post_attention_layernorm.weight", "rms_norm_eps", 1e-6f);
    }

    @Override
    byte[] router(String layer) throws IOException {
        return linearRouter(layer + ".mlp.router.layer.weight");
    }

    @Override
    byte[] expert(String layer, int expert) throws IOException {
        int d = hiddenSize;
        int h = config.positiveInt(isOriginal(config) ? "ffn_hidden_size" : "intermediate_size");
        float[] input = part(layer + ".mlp.input_linear.weight", expert, 2 * h, d);
        float[] output = part(layer + ".mlp.output_linear.weight", expert, d, h);
        return ExpertGraphs.gated(
                activation,
                Arrays.copyOf(input, h * d),
                Arrays.copyOfRange(input, h * d, 2 * h * d),
                output,
                d,
                h);
    }

    private float[] part(String tensor, int expert, int rows, int columns) throws IOException {
        return checkpoint.part(tensor, expert, numExperts, numExperts, rows, columns);
    }

    @Override
    List<byte[]> sharedExperts(String layer) throws IOException {
        return config.flag("bias", true)
                ? List.of(ExpertGraphs.constant(checkpoint.floats(layer + ".mlp.bias", hiddenSize)))
                : List.of();
    }
}
