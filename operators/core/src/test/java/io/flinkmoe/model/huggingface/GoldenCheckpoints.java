// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.golden.GoldenCase;
import java.util.Arrays;

/**
 * Writes the layer of a golden case as a checkpoint in the published layout of its system: as the
 * only MoE layer of a model with one or two layers, without a norm.
 */
final class GoldenCheckpoints {
    private final GoldenCase golden;
    private final int d;
    private final int h;
    private final int n;
    private final PublishedCheckpoint checkpoint;

    private GoldenCheckpoints(GoldenCase golden, String modelType) {
        this.golden = golden;
        this.d = golden.integer("d_model");
        this.h = golden.integer("d_ff");
        this.n = golden.integer("num_experts");
        this.checkpoint = new PublishedCheckpoint(modelType);
    }

    static PublishedCheckpoint of(GoldenCase golden) {
        return switch (golden.system()) {
            case "mixtral" -> new GoldenCheckpoints(golden, "mixtral").mixtral();
            case "qwen2_moe" -> new GoldenCheckpoints(golden, "qwen2_moe").qwen2();
            case "qwen3_moe" -> new GoldenCheckpoints(golden, "qwen3_moe").qwen3();
            case "olmoe" -> new GoldenCheckpoints(golden, "olmoe").olmoe();
            case "dbrx" -> new GoldenCheckpoints(golden, "dbrx").dbrx();
            case "deepseek_v1" -> new GoldenCheckpoints(golden, "deepseek").deepseek();
            case "deepseek_v2", "deepseek_v3" ->
                    new GoldenCheckpoints(golden, golden.system()).deepseek();
            case "jetmoe_mlp" -> new GoldenCheckpoints(golden, "jetmoe").jetMoe();
            case "switch" -> new GoldenCheckpoints(golden, "switch_transformers").switchMoe();
            case "nllb_moe" -> new GoldenCheckpoints(golden, "nllb-moe").nllb();
            default ->
                    throw new IllegalArgumentException(
                            "%s: no layout is known for the system %s"
                                    .formatted(golden.name(), golden.system()));
        };
    }

    private ObjectNode common(int numLayers) {
        return checkpoint
                .config
                .put("hidden_act", "silu")
                .put("hidden_size", d)
                .put("num_hidden_layers", numLayers)
                .put("num_experts_per_tok", golden.integer("top_k"));
    }

    private PublishedCheckpoint mixtral() {
        common(1).put("intermediate_size", h).put("num_local_experts", n);
        String moe = "model.layers.0.block_sparse_moe.";
        router(moe + "gate.weight");
        gatedExperts(moe + "experts.%d.", "w1.weight", "w3.weight", "w2.weight");
        return checkpoint;
    }

    private PublishedCheckpoint qwen2() {
        qwen("moe_intermediate_size", 1);
        int[] shared = golden.shape("shared.w1");
        checkpoint.config.put("shared_expert_intermediate_size", shared[0]);
        shared("model.layers.1.mlp.shared_expert.");
        float[] gate = golden.floats("shared_gate.weight");
        checkpoint.add("model.layers.1.mlp.shared_expert_gate.weight", gate, 1, d);
        checkpoint.config.put("decoder_sparse_step", 2);
        return checkpoint;
    }

    private PublishedCheckpoint qwen3() {
        qwen("moe_intermediate_size", 1);
        checkpoint.config.putArray("mlp_only_layers").add(0);
        return checkpoint;
    }

    private PublishedCheckpoint olmoe() {
        qwen("intermediate_size", 0);
        return checkpoint;
    }

    private void qwen(String sizeKey, int layer) {
        common(layer + 1).put(sizeKey, h).put("num_experts", n);
        checkpoint.config.put("norm_topk_prob", golden.flag("norm_topk_prob"));
        String moe = "model.layers.%d.mlp.".formatted(layer);
        router(moe + "gate.weight");
        projections(moe);
    }

    private PublishedCheckpoint dbrx() {
        ObjectNode config = checkpoint.config.put("d_model", d).put("n_layers", 1);
        ObjectNode ffn = config.putObject("ffn_config");
        ffn.put("ffn_hidden_size", h);
        ffn.put("moe_num_experts", n);
        ffn.put("moe_top_k", golden.integer("top_k"));
        if (golden.has("normalize_p")) {
            ffn.put("moe_normalize_expert_weights", golden.number("normalize_p"));
        } else {
            ffn.putNull("moe_normalize_expert_weights");
        }
        String moe = "transformer.blocks.0.ffn.";
        router(moe + "router.layer.weight");
        checkpoint.add(moe + "experts.mlp.w1", golden.floats("experts.w1"), n * h, d);
        checkpoint.add(moe + "experts.mlp.v1", golden.floats("experts.w3"), n * h, d);
        float[] w2 = golden.floats("experts.w2");
        float[] transposed = new float[w2.length];
        for (int e = 0; e < n; e++) {
            for (int row = 0; row < d; row++) {
                for (int column = 0; column < h; column++) {
                    transposed[(e * h + column) * d + row] = w2[(e * d + row) * h + column];
                }
            }
        }
        checkpoint.add(moe + "experts.mlp.w2", transposed, n * h, d);
        return checkpoint;
    }

    private PublishedCheckpoint deepseek() {
        ObjectNode config = common(2).put("moe_intermediate_size", h).put("n_routed_experts", n);
        config.put("first_k_dense_replace", 1).put("moe_layer_freq", 1);
        config.put("n_shared_experts", golden.integer("n_shared_experts"));
        config.put("scoring_func", golden.text("score"));
        config.put("norm_topk_prob", golden.flag("norm_topk_prob"));
        if (golden.has("topk_method")) {
            config.put("topk_method", golden.text("topk_method"));
            config.put("n_group", golden.integer("n_group"));
            config.put("topk_group", golden.integer("topk_group"));
            config.put("routed_scaling_factor", golden.number("routed_scaling_factor"));
        }
        String moe = "model.layers.1.mlp.";
        router(moe + "gate.weight");
        if (golden.hasTensor("router.score_bias")) {
            float[] bias = golden.floats("router.score_bias");
            checkpoint.add(moe + "gate.e_score_correction_bias", bias, n);
        }
        projections(moe);
        shared(moe + "shared_experts.");
        return checkpoint;
    }

    private PublishedCheckpoint jetMoe() {
        common(1).put("intermediate_size", h).put("num_local_experts", n);
        checkpoint.config.put("activation_function", "silu");
        String moe = "model.layers.0.mlp.";
        router(moe + "router.layer.weight");
        float[] input = new float[n * 2 * h * d];
        for (int e = 0; e < n; e++) {
            System.arraycopy(expert("experts.w1", e), 0, input, 2 * e * h * d, h * d);
            System.arraycopy(expert("experts.w3", e), 0, input, (2 * e + 1) * h * d, h * d);
        }
        checkpoint.add(moe + "input_linear.weight", input, n, 2 * h, d);
        checkpoint.add(moe + "output_linear.weight", golden.floats("experts.w2"), n, d, h);
        return checkpoint.add(moe + "bias", golden.floats("out_bias"), d);
    }

    private PublishedCheckpoint switchMoe() {
        ObjectNode config = checkpoint.config.put("d_model", d).put("d_ff", h);
        config.put("num_experts", n).put("num_layers", 2).put("num_sparse_encoder_layers", 1);
        config.put("num_decoder_layers", 2).put("num_sparse_decoder_layers", 0);
        config.put("dense_act_fn", "relu");
        String moe = "encoder.block.1.layer.1.mlp.";
        router(moe + "router.classifier.weight");
        for (int e = 0; e < n; e++) {
            String name = "%sexperts.expert_%d.".formatted(moe, e);
            checkpoint.add(name + "wi.weight", expert("experts.wi", e), h, d);
            checkpoint.add(name + "wo.weight", expert("experts.wo", e), d, h);
        }
        return checkpoint;
    }

    private PublishedCheckpoint nllb() {
        ObjectNode config = checkpoint.config.put("d_model", d).put("num_experts", n);
        config.put("encoder_ffn_dim", h).put("decoder_ffn_dim", h + 1);
        config.put("encoder_layers", 2).put("encoder_sparse_step", 2);
        config.put("decoder_layers", 2).put("decoder_sparse_step", 0);
        config.put("activation_function", "relu");
        config.put("moe_token_dropout", 1 - golden.number("expert_output_scale"));
        String moe = "model.encoder.layers.1.ffn.";
        router(moe + "router.classifier.weight");
        for (int e = 0; e < n; e++) {
            String name = "%sexperts.expert_%d.".formatted(moe, e);
            checkpoint.add(name + "fc1.weight", expert("experts.wi", e), h, d);
            checkpoint.add(name + "fc1.bias", expert("experts.bi", e), h);
            checkpoint.add(name + "fc2.weight", expert("experts.wo", e), d, h);
            checkpoint.add(name + "fc2.bias", expert("experts.bo", e), d);
        }
        return checkpoint;
    }

    private void router(String name) {
        checkpoint.add(name, golden.floats("router.weight"), n, d);
    }

    private void projections(String moe) {
        gatedExperts(moe + "experts.%d.", "gate_proj.weight", "up_proj.weight", "down_proj.weight");
    }

    private void gatedExperts(String format, String gate, String up, String down) {
        for (int e = 0; e < n; e++) {
            String name = format.formatted(e);
            checkpoint.add(name + gate, expert("experts.w1", e), h, d);
            checkpoint.add(name + up, expert("experts.w3", e), h, d);
            checkpoint.add(name + down, expert("experts.w2", e), d, h);
        }
    }

    private void shared(String prefix) {
        int width = golden.shape("shared.w1")[0];
        checkpoint.add(prefix + "gate_proj.weight", golden.floats("shared.w1"), width, d);
        checkpoint.add(prefix + "up_proj.weight", golden.floats("shared.w3"), width, d);
        checkpoint.add(prefix + "down_proj.weight", golden.floats("shared.w2"), d, width);
    }

    /** One expert of a tensor [N, ...]. */
    private float[] expert(String tensor, int expert) {
        float[] all = golden.floats(tensor);
        int size = all.length / n;
        return Arrays.copyOfRange(all, expert * size, (expert + 1) * size);
    }
}
