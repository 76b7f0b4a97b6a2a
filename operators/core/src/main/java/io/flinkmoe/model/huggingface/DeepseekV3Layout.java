// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.routing.GroupLimit;
import io.flinkmoe.routing.GroupLimit.GroupMask;
import io.flinkmoe.routing.GroupLimit.GroupScore;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * DeepSeek-V3 (the checkpoint's {@code modeling_deepseek.py}). A bias per expert is added to the
 * sigmoid scores for the selection only. The weights are divided by their sum unless norm_topk_prob
 * is false, and always multiplied by routed_scaling_factor. The layers for multi-token prediction,
 * which follow the last layer, are not read.
 */
@Internal
final class DeepseekV3Layout extends DeepseekLayout {
    private static final GroupLimit PUBLISHED =
            new GroupLimit(8, 4, GroupScore.TOP2_SUM, GroupMask.NEG_INF);

    DeepseekV3Layout(Checkpoint checkpoint) throws CheckpointException {
        super(checkpoint);
    }

    @Override
    RoutingConfig routing(String layer) throws IOException {
        config.requireText("scoring_func", "sigmoid");
        config.requireText("topk_method", "noaux_tc");
        int k = numExpertsPerTok("num_experts_per_tok");
        RoutingConfig routing = RoutingConfig.sigmoid(numExperts, k);
        return limited(routing, PUBLISHED)
                .biased(scoreCorrectionBias(layer))
                .normalized(normalizes(k, true))
                .scaledBy(routedScalingFactor(2.5));
    }

    private List<Float> scoreCorrectionBias(String layer) throws IOException {
        List<Float> bias = new ArrayList<>();
        for (float b : checkpoint.floats(layer + ".mlp.gate.e_score_correction_bias", numExperts)) {
            bias.add(b);
        }
        return bias;
    }
}
