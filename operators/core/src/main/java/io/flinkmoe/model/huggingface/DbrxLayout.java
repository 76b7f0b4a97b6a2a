// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * DBRX (databricks/dbrx, {@code modeling_dbrx.py}). Every layer is an MoE layer. The tensors w1
 * (gate projection), v1 (up) and w2 (down) each stack all N experts to [N*h, d]; w2 is stored
 * transposed. The norm is a LayerNorm without bias.
 */
@Internal
final class DbrxLayout extends CheckpointLayout {
    private static final String NORM_ORDER = "ffn_config.moe_normalize_expert_weights";

    DbrxLayout(Checkpoint checkpoint) throws CheckpointException {
        super(
                checkpoint,
                checkpoint.config().activation("ffn_config.ffn_act_fn.name", "silu"),
                "d_model",
                "ffn_config.moe_num_experts");
    }

    @Override
    List<String> layers() throws CheckpointException {
        return layers("transformer.blocks.%d", config.positiveInt("n_layers"), layer -> true);
    }

    /** The weights are divided by their p-norm: p is 1 by default; null and 0 mean no division. */
    @Override
    RoutingConfig routing(String layer) throws CheckpointException {
        int k = numExpertsPerTok("ffn_config.moe_top_k");
        RoutingConfig routing = RoutingConfig.softmax(numExperts, k);
        double order = config.isNull(NORM_ORDER) ? 0 : config.number(NORM_ORDER, 1);
        if (order != 0 && order != 1 && order != 2) {
            throw config.invalid(NORM_ORDER, "null, 0, 1 or 2");
        }
        return order == 0 ? routing : routing.normalizedBy((int) order);
    }

    @Override
    Optional<byte[]> norm(String layer) throws IOException {
        return layerNorm(layer + ".norm_attn_norm.norm_2", false);
    }

    @Override
    byte[] router(String layer) throws IOException {
        return linearRouter(layer + ".ffn.router.layer.weight");
    }

    @Override
    byte[] expert(String layer, int expert) throws IOException {
        String name = layer + ".ffn.experts.mlp.";
        int h = config.positiveInt("ffn_config.ffn_hidden_size");
        return ExpertGraphs.gated(
                activation,
                stacked(name + "w1", expert, h),
                stacked(name + "v1", expert, h),
                transposed(stacked(name + "w2", expert, h), h),
                hiddenSize,
                h);
    }

    /** One expert's [h, d] of a stacked tensor. */
    private float[] stacked(String tensor, int expert, int h) throws IOException {
        return checkpoint.part(tensor, expert, numExperts, (long) numExperts * h, hiddenSize);
    }

    /** [h, d] to [d, h]. */
    private float[] transposed(float[] matrix, int h) {
        float[] transposed = new float[matrix.length];
        for (int row = 0; row < h; row++) {
            for (int column = 0; column < hiddenSize; column++) {
                transposed[column * h + row] = matrix[row * hiddenSize + column];
            }
        }
        return transposed;
    }
}
