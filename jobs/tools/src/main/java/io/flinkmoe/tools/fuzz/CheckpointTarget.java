// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import io.flinkmoe.model.huggingface.CheckpointException;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.tensor.SafetensorsException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.FileUtils;

/** The JSON files of a checkpoint. The checkpoint is imported with each input. */
@Internal
abstract class CheckpointTarget implements FuzzTarget {

    private final String name;
    private Path checkpoint;
    private Path bundle;

    private CheckpointTarget(String name) {
        this.name = name;
    }

    /** The configurations of all model families. For Mixtral, the tensors exist, too. */
    static final class Config extends CheckpointTarget {

        private static final List<String> OTHERS =
                List.of(
                        """
                        {"model_type": "qwen2_moe", "hidden_act": "silu", "hidden_size": 4,
                         "moe_intermediate_size": 2, "shared_expert_intermediate_size": 2,
                         "num_experts": 2, "num_experts_per_tok": 1, "norm_topk_prob": false,
                         "rms_norm_eps": 1e-06, "decoder_sparse_step": 1,
                         "mlp_only_layers": [1], "num_hidden_layers": 2}""",
                        """
                        {"model_type": "deepseek_v3", "hidden_act": "silu", "hidden_size": 4,
                         "moe_intermediate_size": 2, "n_shared_experts": 1,
                         "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 2,
                         "topk_group": 1, "topk_method": "noaux_tc", "scoring_func": "sigmoid",
                         "norm_topk_prob": true, "routed_scaling_factor": 2.5,
                         "first_k_dense_replace": 1, "moe_layer_freq": 1,
                         "num_hidden_layers": 2}""",
                        """
                        {"model_type": "dbrx", "d_model": 4, "n_layers": 1, "ffn_config":
                         {"ffn_act_fn": {"name": "silu"}, "ffn_hidden_size": 2,
                          "moe_num_experts": 2, "moe_top_k": 1,
                          "moe_normalize_expert_weights": 1}}""",
                        """
                        {"model_type": "jetmoe", "activation_function": "silu",
                         "hidden_size": 4, "ffn_hidden_size": 2, "moe_num_experts": 2,
                         "moe_top_k": 1, "glu": true, "num_hidden_layers": 1}""",
                        """
                        {"model_type": "switch_transformers", "d_model": 4, "d_ff": 2,
                         "dense_act_fn": "relu", "num_experts": 2, "num_layers": 2,
                         "num_decoder_layers": 2, "num_sparse_encoder_layers": 1,
                         "num_sparse_decoder_layers": 1, "encoder_sparse_step": 2}""",
                        """
                        {"model_type": "nllb-moe", "d_model": 4, "encoder_ffn_dim": 2,
                         "decoder_ffn_dim": 2, "activation_function": "relu",
                         "num_experts": 2, "encoder_layers": 2, "decoder_layers": 2,
                         "encoder_sparse_step": 2, "decoder_sparse_step": 2,
                         "moe_token_dropout": 0.2, "second_expert_policy": "all"}""");

        Config() {
            super("config.json");
        }

        @Override
        List<String> others() {
            return OTHERS;
        }
    }

    /** Which tensor is in which file. */
    static final class Index extends CheckpointTarget {

        Index() {
            super("model.safetensors.index.json");
        }

        @Override
        List<String> others() {
            return List.of();
        }
    }

    /** Valid inputs in addition to that of the tiny checkpoint. */
    abstract List<String> others();

    @Override
    public final List<byte[]> open(Path dir) throws IOException {
        checkpoint = dir.resolve("checkpoint");
        bundle = dir.resolve("bundle");
        TinyModels.checkpoint(checkpoint);
        byte[] own = Files.readAllBytes(checkpoint.resolve(name));
        return Stream.concat(
                        Stream.of(own),
                        others().stream().map(text -> text.getBytes(StandardCharsets.UTF_8)))
                .toList();
    }

    @Override
    public final void read(byte[] input) throws IOException {
        Files.write(checkpoint.resolve(name), input);
        try {
            CheckpointImporter.importBundle(checkpoint, null, null, bundle);
        } finally {
            FileUtils.deleteDirectoryQuietly(bundle.toFile());
        }
    }

    @Override
    public final Set<Class<? extends Exception>> rejections() {
        return Set.of(CheckpointException.class, SafetensorsException.class);
    }

    /** Allows for up to 10,000 layer names, and for the tensors, graphs and files of a bundle. */
    @Override
    public final long allocationLimit(int inputLength) {
        return (16 << 20) + 256L * inputLength;
    }
}
