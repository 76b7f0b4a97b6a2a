// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import io.flinkmoe.routing.GroupLimit;
import io.flinkmoe.routing.GroupLimit.GroupMask;
import io.flinkmoe.routing.GroupLimit.GroupScore;
import io.flinkmoe.routing.RouterNoise;
import io.flinkmoe.routing.RouterNoise.Kind;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.RoutingPresets;
import java.util.ArrayList;
import java.util.List;

/** The router of a golden case, as its configuration says it. */
final class GoldenRouting {

    private GoldenRouting() {}

    static RoutingConfig of(GoldenCase golden) {
        RoutingConfig config = withoutNoise(golden);
        if (golden.hasTensor("noise.normal")) {
            return config.withNoise(new RouterNoise(Kind.NORMAL, 0));
        }
        if (golden.hasTensor("noise.input_multiplier")) {
            return config.withNoise(new RouterNoise(Kind.INPUT_JITTER, 1));
        }
        if (golden.hasTensor("noise.gumbel")) {
            return config.withNoise(new RouterNoise(Kind.GUMBEL_SECOND, 0));
        }
        if (golden.hasTensor("noise.second_uniform")) {
            float threshold = (float) golden.number("second_threshold");
            return config.withNoise(new RouterNoise(Kind.RANDOM_SECOND, threshold));
        }
        return config;
    }

    private static RoutingConfig withoutNoise(GoldenCase golden) {
        int n = golden.integer("num_experts");
        int k = golden.has("top_k") ? golden.integer("top_k") : n;
        RoutingConfig plain = RoutingConfig.softmax(n, k);
        return switch (golden.system()) {
            case "mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "deepseek_v1" ->
                    plain.normalized(golden.flag("norm_topk_prob"));
            case "dbrx" ->
                    golden.has("normalize_p")
                            ? plain.normalizedBy(golden.integer("normalize_p"))
                            : plain;
            case "deepseek_v2" -> deepseekV2(golden, plain);
            case "deepseek_v3" -> deepseekV3(golden, maskOf(golden));
            case "jetmoe_mlp", "hash", "noisy_topk", "st_moe" -> plain.normalized(true);
            case "gshard" ->
                    // A random second policy goes by the shares, whenever they are in force.
                    plain.normalized(
                            golden.flag("legacy_mtf_behavior")
                                    || golden.hasTensor("noise.second_uniform"));
            case "nllb_moe" -> plain.normalized(golden.text("normalise").equals("before dropping"));
            case "base_layer" -> RoutingPresets.of("base").of(n, k);
            case "sinkhorn" -> RoutingPresets.of("sinkhorn").of(n, k);
            case "grok1",
                    "moduleformer_mlp",
                    "switch",
                    "switch_mesh",
                    "next_expert",
                    "vmoe",
                    "tokens_choose",
                    "openmoe",
                    "deepspeed_top1",
                    "deepspeed_top2",
                    "deepspeed_topk",
                    "deepspeed_residual",
                    "expert_choice" ->
                    plain;
            default ->
                    throw new IllegalArgumentException(
                            "%s: system '%s' is not known".formatted(golden, golden.system()));
        };
    }

    private static RoutingConfig deepseekV2(GoldenCase golden, RoutingConfig plain) {
        RoutingConfig config =
                golden.text("topk_method").equals("greedy")
                        ? plain
                        : plain.limitedTo(
                                new GroupLimit(
                                        golden.integer("n_group"),
                                        golden.integer("topk_group"),
                                        GroupScore.MAX,
                                        maskOf(golden)));
        return golden.flag("norm_topk_prob")
                ? config.normalized(true)
                : config.scaledBy((float) golden.number("routed_scaling_factor"));
    }

    static RoutingConfig deepseekV3(GoldenCase golden, GroupMask mask) {
        List<Float> bias = new ArrayList<>();
        for (float value : golden.floats("router.score_bias")) {
            bias.add(value);
        }
        return RoutingConfig.sigmoid(golden.integer("num_experts"), golden.integer("top_k"))
                .biased(bias)
                .limitedTo(
                        new GroupLimit(
                                golden.integer("n_group"),
                                golden.integer("topk_group"),
                                GroupScore.TOP2_SUM,
                                mask))
                .normalized(golden.flag("norm_topk_prob"))
                .scaledBy((float) golden.number("routed_scaling_factor"));
    }

    private static GroupMask maskOf(GoldenCase golden) {
        return golden.has("masked_value") && golden.isText("masked_value", "-inf")
                ? GroupMask.NEG_INF
                : GroupMask.ZERO;
    }
}
