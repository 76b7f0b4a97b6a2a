// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.ExpertGraphs.Gated;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.tensor.FloatBlocks;
import io.flinkmoe.tensor.MatrixSlice;
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
    private static final String ROUTER = ".ffn.router.layer.weight";
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
        LayerStack stack = new LayerStack("transformer.", "blocks.%d", List.of(ROUTER));
        return layers(stack, config.positiveInt("n_layers"), layer -> true);
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
    Optional<FileContent> norm(String layer) throws IOException {
        return layerNorm(layer + ".norm_attn_norm.norm_2", false);
    }

    @Override
    FileContent router(String layer) throws IOException {
        return linearRouter(layer + ROUTER);
    }

    @Override
    FileContent expert(String layer, int expert) throws IOException {
        String name = layer + ".ffn.experts.mlp.";
        int h = config.positiveInt("ffn_config.ffn_hidden_size");
        MatrixSlice matrix = MatrixSlice.of((long) expert * h * hiddenSize, h, hiddenSize);
        Gated weights =
                new Gated(
                        stacked(name + "w1", matrix, h),
                        stacked(name + "v1", matrix, h),
                        stacked(name + "w2", matrix.transpose(), h));
        return ExpertGraphs.gated(activation, weights, hiddenSize, h);
    }

    /** One expert's matrix of a stacked tensor. */
    private FloatBlocks stacked(String tensor, MatrixSlice matrix, int h) throws IOException {
        return checkpoint.slice(tensor, matrix, (long) numExperts * h, hiddenSize);
    }
}
