// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import static java.util.Locale.ROOT;

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
        String score = golden.anyText("score");
        if (!score.isEmpty() && !score.startsWith(config.scoringFunc().name().toLowerCase(ROOT))) {
            throw new IllegalArgumentException(
                    "%s: score is '%s', but its system's is %s"
                            .formatted(golden, score, config.scoringFunc()));
        }
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
            case "deepseek_v2" -> deepseekV2(golden, plain);
            case "deepseek_v3" -> deepseekV3(golden, maskOf(golden));
            case "dbrx" ->
                    golden.has("normalize_p")
                            ? plain.normalizedBy(golden.integer("normalize_p"))
                            : plain;
            case "base_layer" -> RoutingPresets.of("base").of(n, k);
            case "sinkhorn" -> RoutingPresets.of("sinkhorn").of(n, k);
            case "hash" -> plain.normalized(true);
            case "mixtral",
                    "qwen2_moe",
                    "qwen3_moe",
                    "olmoe",
                    "deepseek_v1",
                    "jetmoe_mlp",
                    "noisy_topk",
                    "st_moe",
                    "gshard",
                    "nllb_moe",
                    "grok1",
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
                    plain.normalized(normalizes(golden));
            default ->
                    throw new IllegalArgumentException(
                            "%s: system '%s' is not known".formatted(golden, golden.system()));
        };
    }

    /** Whether the router divides the weights by their sum, before anything is dropped. */
    private static boolean normalizes(GoldenCase golden) {
        if (golden.has("legacy_mtf_behavior") && golden.flag("legacy_mtf_behavior")) {
            return true;
        }
        return golden.has("norm_topk_prob") && golden.flag("norm_topk_prob")
                || golden.anyText("order").equals("topk_then_softmax")
                || golden.anyText("normalise", "weight").contains("before")
                // A random second policy goes by the shares, whenever they are in force.
                || golden.system().equals("gshard") && golden.hasTensor("noise.second_uniform");
    }

    private static RoutingConfig deepseekV2(GoldenCase golden, RoutingConfig plain) {
        RoutingConfig config =
                golden.text("topk_method").equals("greedy")
                        ? plain
                        : plain.limitedTo(
                                new GroupLimit(
                                        golden.integer("n_group"),
                                        golden.integer("topk_group"),
                                        groupScoreOf(golden),
                                        maskOf(golden)));
        boolean normalizes = golden.flag("norm_topk_prob");
        boolean scales =
                !normalizes
                        || golden.has("scale_applied_when_normalised")
                                && golden.flag("scale_applied_when_normalised");
        return !scales
                ? config.normalized(true)
                : config.normalized(normalizes)
                        .scaledBy((float) golden.number("routed_scaling_factor"));
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
                                groupScoreOf(golden),
                                mask))
                .normalized(golden.flag("norm_topk_prob"))
                .scaledBy((float) golden.number("routed_scaling_factor"));
    }

    private static GroupScore groupScoreOf(GoldenCase golden) {
        return golden.text("group_score").contains("top 2") ? GroupScore.TOP2_SUM : GroupScore.MAX;
    }

    private static GroupMask maskOf(GoldenCase golden) {
        return golden.has("masked_value") && golden.isText("masked_value", "-inf")
                ? GroupMask.NEG_INF
                : GroupMask.ZERO;
    }
}
