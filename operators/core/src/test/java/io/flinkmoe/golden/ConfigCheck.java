// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;

/**
 * Whether everything that the configuration of a case says is read. What decides nothing, since the
 * tensors show it, must agree with them. Only words that explain stay unread.
 */
final class ConfigCheck {

    /** They say in words what the system, the tensors and other keys say too. */
    private static final Set<String> DESCRIPTIONS =
            Set.of(
                    "attention",
                    "bias",
                    "capacity_scope",
                    "causal",
                    "combine",
                    "cv2",
                    "dropped_output",
                    "eval_masking",
                    "expert",
                    "formulas",
                    "gate_type",
                    "hash",
                    "jitter",
                    "kv",
                    "load",
                    "native_layout",
                    "noise",
                    "norm_eps",
                    "note",
                    "output_bias",
                    "plan",
                    "residual_rule",
                    "rope",
                    "router",
                    "rule",
                    "second_choice",
                    "selection",
                    "sequential_variant",
                    "shared_gate",
                    "softmax_scale",
                    "tie_break",
                    "topk_method",
                    "unpicked_output",
                    "vocab");

    private ConfigCheck() {}

    /** Checks a case that has been run. */
    static void check(GoldenCase golden) {
        agrees(golden, "second_expert_sampling", "noise.gumbel");
        if (!GoldenLevels.appliesTo(golden)) { // Theirs is a word, which the bundle obeys.
            agrees(golden, "residual", "residual.coef_weight");
        }
        agrees(golden, "noisy", "noise.normal");
        if (golden.has("second_policy")) {
            boolean random = golden.text("second_policy").equals("random");
            assertThat(golden.hasTensor("noise.second_uniform")).isEqualTo(random);
            boolean sampling = golden.text("second_policy").equals("sampling");
            assertThat(golden.hasTensor("noise.gumbel")).isEqualTo(sampling);
        }
        if (golden.has("shared_d_ff")) {
            assertThat(golden.shape("shared.w1")[0]).isEqualTo(golden.integer("shared_d_ff"));
        }
        if (golden.has("n_shared_experts")) {
            assertThat(golden.shape("shared.w1")[0] % golden.integer("n_shared_experts")).isZero();
        }
        if (golden.has("tokens_per_group")) {
            assertThat(golden.integer("tokens_per_group"))
                    .isEqualTo(golden.integer("tokens") / golden.integer("groups"));
        }
        if (golden.has("seq")) {
            assertThat(golden.shape("logits")[0])
                    .isEqualTo(golden.integer("seq") * golden.integer("batch"));
        }
        if (golden.has("eval_capacity_token_fraction")) {
            assertThat(golden.text("capacity_rule").contains("fraction"))
                    .isEqualTo(golden.number("eval_capacity_token_fraction") > 0);
        }
        if (golden.has("drop_tokens") && !golden.flag("drop_tokens")) {
            assertThat(golden.text("capacity_rule")).startsWith("no dropping");
            assertThat(Arrays.stream(golden.ints("tokens_per_expert")).max())
                    .hasValue(golden.integer("capacity"));
        }
        TreeSet<String> unread = new TreeSet<>(golden.unreadKeys());
        unread.removeAll(DESCRIPTIONS);
        assertThat(unread).as("keys of %s that nothing read", golden).isSubsetOf(idle(golden));
    }

    /** Checks a flag that says whether there is a tensor. */
    private static void agrees(GoldenCase golden, String key, String tensor) {
        if (golden.has(key)) {
            assertThat(golden.hasTensor(tensor))
                    .as("%s: %s", golden, key)
                    .isEqualTo(golden.flag(key));
        }
    }

    /** Keys that are not in force beside others. */
    private static Set<String> idle(GoldenCase golden) {
        return switch (golden.system()) {
            case "deepspeed_top1" -> Set.of("capacity_factor", "min_capacity");
            case "deepseek_v2" ->
                    Set.of(
                            "group_score",
                            "masked_value",
                            "n_group",
                            "order",
                            "topk_group",
                            "routed_scaling_factor",
                            "scale_applied_when_normalised");
            // Second choices of a policy that takes all.
            case "st_moe" -> Set.of("second_threshold");
            // These presets are without variants.
            case "base_layer", "sinkhorn", "hash" -> Set.of("weight");
            case "jetmoe_attention", "moduleformer_attention" ->
                    Set.of("norm_topk_prob", "order", "score");
            // softmax_then_topk, which the division of the weights makes no difference to
            case "dbrx", "mixtral", "qwen2_moe", "qwen3_moe", "deepseek_v1", "grok1" ->
                    Set.of("order");
            case "openmoe" -> Set.of("activation");
            default -> Set.of();
        };
    }
}
