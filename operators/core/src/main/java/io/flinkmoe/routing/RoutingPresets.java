// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import io.flinkmoe.routing.GroupLimit.GroupMask;
import io.flinkmoe.routing.GroupLimit.GroupScore;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The routers of the published systems as compositions of {@link RoutingConfig}, at inference: N
 * experts, k choices. Parts that differ by checkpoint (norm_topk_prob, groups, scaling) are given
 * here as in the released checkpoints; the importer reads them from config.json. Capacity, overflow
 * and the weights of the executed choices belong in {@code capacity}.
 */
@PublicEvolving
public final class RoutingPresets {

    /** Makes a system's router for N experts and k choices. */
    @FunctionalInterface
    public interface Preset {
        RoutingConfig of(int numExperts, int numExpertsPerTok);
    }

    private static final Map<String, Preset> PRESETS = new TreeMap<>();

    static {
        // Softmax over all, the k largest, as they are.
        for (String system :
                List.of(
                        "switch",
                        "switch-mesh",
                        "next-expert",
                        "v-moe",
                        "tokens-choose",
                        "grok-1",
                        "openmoe",
                        "olmoe",
                        "qwen2-moe",
                        "deepseek-v1",
                        "moduleformer",
                        "deepspeed-top1",
                        "deepspeed-residual",
                        "expert-choice")) {
            PRESETS.put(system, RoutingConfig::softmax);
        }
        // The same, divided by their sum: equal to a softmax over the selected logits.
        for (String system :
                List.of(
                        "mixtral",
                        "qwen3-moe",
                        "dbrx",
                        "jetmoe",
                        "noisy-topk",
                        "gshard",
                        "st-moe",
                        "nllb-moe",
                        "deepspeed-top2",
                        "deepspeed-topk")) {
            PRESETS.put(system, RoutingConfig::mixtral);
        }
        PRESETS.put("deepseek-v2", RoutingPresets::deepseekV2);
        PRESETS.put("deepseek-v3", RoutingPresets::deepseekV3);
        // One expert, gated by the sigmoid of its logit.
        PRESETS.put("base", RoutingConfig::sigmoid);
        PRESETS.put("sinkhorn", RoutingPresets::sinkhorn);
        // The router's logits single out the token's expert; its weight is 1.
        PRESETS.put("hash", RoutingConfig::mixtral);
    }

    private RoutingPresets() {}

    /** The presets by the system's name. */
    public static Map<String, Preset> all() {
        return Map.copyOf(PRESETS);
    }

    /**
     * The preset of a system.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public static Preset of(String system) {
        Preset preset = PRESETS.get(system);
        if (preset == null) {
            throw new IllegalArgumentException(
                    "there is no routing preset '%s'; known: %s"
                            .formatted(system, PRESETS.keySet()));
        }
        return preset;
    }

    /** 8 groups by their best expert, 3 kept, weights times 16: the 236B model. */
    private static RoutingConfig deepseekV2(int n, int k) {
        return RoutingConfig.softmax(n, k)
                .limitedTo(new GroupLimit(8, 3, GroupScore.MAX, GroupMask.ZERO))
                .scaledBy(16);
    }

    /**
     * Sigmoid, 8 groups by their two best, 4 kept, shares times 2.5; the bias is the checkpoint's.
     */
    private static RoutingConfig deepseekV3(int n, int k) {
        return RoutingConfig.sigmoid(n, k)
                .limitedTo(new GroupLimit(8, 4, GroupScore.TOP2_SUM, GroupMask.NEG_INF))
                .normalized(true)
                .scaledBy(2.5f);
    }

    /** Megatron at inference: the sigmoid for one choice, the softmax for more; never the plan. */
    private static RoutingConfig sinkhorn(int n, int k) {
        return k == 1 ? RoutingConfig.sigmoid(n, k) : RoutingConfig.softmax(n, k);
    }
}
