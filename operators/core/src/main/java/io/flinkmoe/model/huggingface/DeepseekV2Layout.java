// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.routing.GroupLimit;
import io.flinkmoe.routing.GroupLimit.GroupMask;
import io.flinkmoe.routing.GroupLimit.GroupScore;
import io.flinkmoe.routing.RoutingConfig;
import org.apache.flink.annotation.Internal;

/**
 * DeepSeek-V2 (the checkpoint's {@code modeling_deepseek.py}). The selection may be limited to
 * groups of experts. The weights are either divided by their sum or multiplied by
 * routed_scaling_factor.
 */
@Internal
final class DeepseekV2Layout extends DeepseekLayout {
    private static final GroupLimit NO_GROUPS =
            new GroupLimit(1, 1, GroupScore.MAX, GroupMask.ZERO);

    DeepseekV2Layout(Checkpoint checkpoint) throws CheckpointException {
        super(checkpoint);
    }

    @Override
    RoutingConfig routing(String layer) throws CheckpointException {
        config.requireText("scoring_func", "softmax");
        int k = numExpertsPerTok("num_experts_per_tok");
        RoutingConfig routing = RoutingConfig.softmax(numExperts, k);
        switch (config.text("topk_method", "greedy")) {
            case "greedy" -> {}
            case "group_limited_greedy" -> routing = limited(routing, NO_GROUPS);
            default ->
                    throw config.invalid("topk_method", "\"greedy\" or \"group_limited_greedy\"");
        }
        return normalizes(k, false)
                ? routing.normalized(true)
                : routing.scaledBy(routedScalingFactor(1));
    }
}
