// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.FileContent;
import java.io.IOException;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Qwen2-MoE (transformers' {@code models/qwen2_moe}): Qwen3-MoE with one shared expert, which has
 * an inner size of its own and is multiplied by a sigmoid.
 */
@Internal
final class Qwen2MoeLayout extends QwenMoeLayout {
    private final int sharedIntermediateSize;

    Qwen2MoeLayout(Checkpoint checkpoint) throws CheckpointException {
        super(checkpoint, "moe_intermediate_size", 1e-6f);
        if (activation != Activation.SILU) {
            throw config.invalid(
                    "hidden_act", "\"silu\", the only activation of a shared expert with a gate");
        }
        sharedIntermediateSize = config.positiveInt("shared_expert_intermediate_size");
    }

    @Override
    List<FileContent> sharedExperts(String layer) throws IOException {
        String name = layer + ".mlp.shared_expert";
        int h = sharedIntermediateSize;
        return List.of(
                ExpertGraphs.sharedWithGate(
                        checkpoint.floats(name + "_gate.weight", 1, hiddenSize),
                        experts.single(name, h),
                        hiddenSize,
                        h));
    }
}
