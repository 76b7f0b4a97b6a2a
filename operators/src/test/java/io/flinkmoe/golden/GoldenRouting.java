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
            case "noisy_topk" ->
                    golden.flag("noisy")
                            ? plain.normalized(true).withNoise(new RouterNoise(Kind.NORMAL, 0))
                            : plain.normalized(true);
            case "jetmoe_mlp", "hash" -> plain.normalized(true);
            case "gshard" -> plain.normalized(golden.flag("legacy_mtf_behavior"));
            case "nllb_moe" -> plain.normalized(golden.text("normalise").equals("before dropping"));
            case "st_moe" -> stMoe(golden, plain);
            case "switch_mesh" ->
                    golden.has("jitter")
                            ? plain.withNoise(new RouterNoise(Kind.INPUT_JITTER, 1))
                            : plain;
            case "deepspeed_top2" ->
                    golden.flag("second_expert_sampling")
                            ? plain.withNoise(new RouterNoise(Kind.GUMBEL_SECOND, 0))
                            : plain;
            case "base_layer" -> RoutingPresets.of("base").of(n, k);
            case "sinkhorn" -> RoutingPresets.of("sinkhorn").of(n, k);
            case "grok1",
                    "moduleformer_mlp",
                    "switch",
                    "next_expert",
                    "vmoe",
                    "tokens_choose",
                    "openmoe",
                    "deepspeed_top1",
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

    private static RoutingConfig stMoe(GoldenCase golden, RoutingConfig plain) {
        RoutingConfig config = plain.normalized(true);
        if (golden.text("second_policy").equals("all")) {
            return config;
        }
        float threshold = (float) golden.number("second_threshold");
        return config.withNoise(new RouterNoise(Kind.RANDOM_SECOND, threshold));
    }

    private static GroupMask maskOf(GoldenCase golden) {
        return golden.has("masked_value") && golden.isText("masked_value", "-inf")
                ? GroupMask.NEG_INF
                : GroupMask.ZERO;
    }
}
