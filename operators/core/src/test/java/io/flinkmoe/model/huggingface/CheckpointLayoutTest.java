// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.golden.GoldenCase;
import io.flinkmoe.golden.GoldenCases;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.tensor.DType;
import io.flinkmoe.tensor.SafetensorsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Which layers and norms are found in a checkpoint, and what is rejected. */
class CheckpointLayoutTest {

    @TempDir Path dir;

    static List<GoldenCase> oneOfEachSystem() throws Exception {
        return GoldenImportTest.oneOfEachSystem();
    }

    /** A layer is sparse if it has a router, whatever config.json says. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "qwen2_moe|{num_hidden_layers: 6, decoder_sparse_step: 5}|.mlp.gate.weight"
                        + "|model.layers.1 model.layers.5|",
                "dbrx|{n_layers: 12}|.ffn.router.layer.weight"
                        + "|transformer.blocks.0 transformer.blocks.2 transformer.blocks.11|",
                "deepseek_v3|{num_hidden_layers: 5, num_nextn_predict_layers: 1}|.mlp.gate.weight"
                        + "|model.layers.1 model.layers.4|model.layers.5",
                "deepseek_v2|{num_hidden_layers: 2, first_k_dense_replace: 99}|.mlp.gate.weight"
                        + "|model.layers.1|mtp.layers.0",
                "switch|{num_layers: 4, num_decoder_layers: null}|.mlp.router.classifier.weight"
                        + "|encoder.block.1.layer.1 encoder.block.3.layer.1 decoder.block.3.layer.2|"
                        + "encoder.block.2.layer.2",
                "nllb_moe|{encoder_layers: 8, decoder_layers: 2}|.ffn.router.classifier.weight"
                        + "|model.encoder.layers.1 model.encoder.layers.7 model.decoder.layers.1|"
            })
    void findsTheLayersWithARouter(
            String system, String changes, String router, String expected, String others)
            throws Exception {
        PublishedCheckpoint checkpoint = checkpoint(system);
        change(checkpoint, changes);
        for (String layer : (expected + (others == null ? "" : " " + others)).split(" ")) {
            checkpoint.add(layer + router, new float[1], 1);
        }

        try (Checkpoint open = Checkpoint.open(checkpoint.write(dir.resolve("c"), DType.F32))) {
            assertThat(new LayerStacks(open, Families.get().of(open.config())).layers())
                    .extracting(LayerStacks.MoeLayer::name)
                    .containsExactly(expected.split(" "));
        }
    }

    @Test
    void jetMoeKeysMayBeThoseOfTheFirstPublication() throws Exception {
        PublishedCheckpoint checkpoint = checkpoint("jetmoe_mlp");
        Bundle expected = importBundle(checkpoint, "a");
        ObjectNode config = checkpoint.config;
        config.set("moe_num_experts", config.remove("num_local_experts"));
        config.set("moe_top_k", config.remove("num_experts_per_tok"));
        config.set("ffn_hidden_size", config.remove("intermediate_size"));

        assertThat(importBundle(checkpoint, "b").spec().layers())
                .isEqualTo(expected.spec().layers());
    }

    @Test
    void jetMoeWithoutBiasHasNoSharedExpert() throws Exception {
        PublishedCheckpoint checkpoint = checkpoint("jetmoe_mlp").remove("model.layers.0.mlp.bias");
        checkpoint.config.put("bias", false);

        assertThat(importBundle(checkpoint, "b").spec().layers().get(0).sharedExperts()).isEmpty();
    }

    @Test
    void dbrxDividesByTheSumUnlessItsConfigSaysOtherwise() throws Exception {
        PublishedCheckpoint checkpoint = checkpoint("dbrx");
        ObjectNode ffn = (ObjectNode) checkpoint.config.get("ffn_config");
        int n = ffn.get("moe_num_experts").intValue();
        int k = ffn.get("moe_top_k").intValue();

        ffn.remove("moe_normalize_expert_weights");
        assertThat(routing(checkpoint, "a")).isEqualTo(RoutingConfig.softmax(n, k).normalizedBy(1));
        ffn.put("moe_normalize_expert_weights", 0);
        assertThat(routing(checkpoint, "b")).isEqualTo(RoutingConfig.softmax(n, k));
    }

    @Test
    void deepseekWithoutSharedExpertsHasNone() throws Exception {
        PublishedCheckpoint checkpoint = checkpoint("deepseek_v1");
        checkpoint.config.putNull("n_shared_experts");
        assertRefused(checkpoint, "but no part of a layer of deepseek uses it");
        for (String matrix : List.of("gate_proj", "up_proj", "down_proj")) {
            checkpoint.remove("model.layers.1.mlp.shared_experts.%s.weight".formatted(matrix));
        }

        assertThat(importBundle(checkpoint, "b").spec().layers().get(0).sharedExperts()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "mixtral, model.layers.0.post_attention_layernorm, rms_norm_eps",
        "qwen2_moe, model.layers.1.post_attention_layernorm, rms_norm_eps",
        "deepseek_v3, model.layers.1.post_attention_layernorm, rms_norm_eps",
        "switch, encoder.block.1.layer.1.layer_norm, layer_norm_epsilon"
    })
    void aRootMeanSquareNormIsImportedWithItsEpsilon(String system, String name, String epsKey)
            throws Exception {
        PublishedCheckpoint checkpoint = checkpoint(system);
        float[] weight = weight(checkpoint);
        checkpoint.add(name + ".weight", weight, weight.length).config.put(epsKey, 0.25);

        float[] x = ramp(weight.length);
        double square = 0;
        for (float v : x) {
            square += (double) v * v / x.length;
        }
        float[] found = norm(checkpoint, x);
        for (int i = 0; i < x.length; i++) {
            assertThat((double) found[i])
                    .isEqualTo(weight[i] * x[i] / Math.sqrt(square + 0.25), within());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "dbrx, transformer.blocks.0.norm_attn_norm.norm_2, false",
        "nllb_moe, model.encoder.layers.1.ff_layer_norm, true"
    })
    void aLayerNormIsImportedWithOrWithoutBias(String system, String name, boolean biased)
            throws Exception {
        PublishedCheckpoint checkpoint = checkpoint(system);
        float[] weight = weight(checkpoint);
        float[] bias = new float[weight.length];
        checkpoint.add(name + ".weight", weight, weight.length);
        if (biased) {
            for (int i = 0; i < bias.length; i++) {
                bias[i] = i - 3;
            }
            checkpoint.add(name + ".bias", bias, bias.length);
        }

        float[] x = ramp(weight.length);
        double mean = 0;
        for (float v : x) {
            mean += (double) v / x.length;
        }
        double variance = 0;
        for (float v : x) {
            variance += (v - mean) * (v - mean) / x.length;
        }
        float[] found = norm(checkpoint, x);
        for (int i = 0; i < x.length; i++) {
            double normal = (x[i] - mean) / Math.sqrt(variance + 1e-5);
            assertThat((double) found[i]).isEqualTo(weight[i] * normal + bias[i], within());
        }
    }

    @ParameterizedTest
    @MethodSource("oneOfEachSystem")
    void aMissingTensorIsNamed(GoldenCase golden) throws Exception {
        for (String name : GoldenCheckpoints.of(golden).oneTensorOfEachKind()) {
            assertRefused(
                    GoldenCheckpoints.of(golden).remove(name),
                    "there is no tensor %s among ".formatted(name));
        }
    }

    @ParameterizedTest
    @MethodSource("oneOfEachSystem")
    void aTensorWithAValueThatIsNotFiniteIsNamed(GoldenCase golden) throws Exception {
        for (String name : GoldenCheckpoints.of(golden).oneTensorOfEachKind()) {
            // In a router's weight, too, −∞ masks no expert.
            for (float bad :
                    new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
                Path folder = Files.createTempDirectory(dir, "checkpoint");
                GoldenCheckpoints.of(golden).spoil(name, bad).write(folder, DType.F32);
                assertThatThrownBy(
                                () ->
                                        CheckpointImporter.importBundle(
                                                folder, null, null, folder.resolve("bundle")))
                        .isInstanceOf(SafetensorsException.class)
                        .hasMessageContaining("tensor %s: value [".formatted(name))
                        .hasMessageContaining("] is %s; allowed: finite values".formatted(bad));
                assertThat(folder.resolve("bundle")).doesNotExist();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("oneOfEachSystem")
    void aTensorOfAnotherShapeIsNamed(GoldenCase golden) throws Exception {
        for (String name : GoldenCheckpoints.of(golden).oneTensorOfEachKind()) {
            PublishedCheckpoint checkpoint = GoldenCheckpoints.of(golden);
            checkpoint.add(name, new float[14], 2, 7);
            assertRefused(checkpoint, "tensor %s has shape [2, 7]; expected [".formatted(name));
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "mixtral|{hidden_act: tanh}|hidden_act is \"tanh\"; expected one of relu, silu",
                "mixtral|{num_experts_per_tok: 999}|num_experts_per_tok is 999; expected 1 to num_local",
                "mixtral|{num_local_experts: 40000}|num_experts is 40000; allowed: 1 to 32767",
                "qwen3_moe|{norm_topk_prob: 1}|norm_topk_prob is 1; expected true or false",
                "olmoe|{num_experts_per_tok: 999}|num_experts_per_tok is 999; expected 1 to num_experts",
                "dbrx|{ffn_config: {}}|ffn_config.moe_top_k is missing; expected an integer",
                "deepseek_v1|{topk_method: aux_free}|topk_method is \"aux_free\"; expected \"greedy\"",
                "deepseek_v1|{scoring_func: sigmoid}|scoring_func is \"sigmoid\"; expected \"softmax\"",
                "deepseek_v2|{topk_method: noaux_tc}"
                        + "|topk_method is \"noaux_tc\"; expected \"greedy\" or \"group_limited_greedy\"",
                "deepseek_v2|{topk_method: group_limited_greedy, n_group: 7}"
                        + "|the routing of layer model.layers.1 is invalid: n_group is 7; allowed: a divisor",
                "deepseek_v2|{topk_method: group_limited_greedy, n_group: 2, topk_group: null}"
                        + "|topk_group is null; expected an integer",
                "qwen3_moe|{num_local_experts: 3}|num_local_experts is 3; expected",
                "deepseek_v2|{routed_scaling_factor: much}"
                        + "|routed_scaling_factor is \"much\"; expected a number",
                "deepseek_v3|{topk_method: greedy}|topk_method is \"greedy\"; expected \"noaux_tc\"",
                "deepseek_v3|{scoring_func: softmax}|scoring_func is \"softmax\"; expected \"sigmoid\"",
                "deepseek_v3|{n_shared_experts: -1}|n_shared_experts is -1; expected an integer of 0",
                "jetmoe_mlp|{glu: false}|glu is false; expected true",
                "jetmoe_mlp|{activation_function: tanh}|activation_function is \"tanh\"; expected one of",
                "switch|{router_bias: true}|there is no tensor encoder.block.1.layer.1.mlp.router.classifier.bias",
                "switch|{dense_act_fn: gated-gelu}|dense_act_fn is \"gated-gelu\"; expected",
                "nllb_moe|{second_expert_policy: sampling}|second_expert_policy is \"sampling\"",
                "nllb_moe|{moe_token_dropout: 1}|moe_token_dropout is 1; expected 0 or more",
                "nllb_moe|{router_bias: true}|there is no tensor model.encoder.layers.1.ffn.router.classifier.bias"
            })
    void refusesWhatIsNotSupported(String system, String changes, String message) throws Exception {
        PublishedCheckpoint checkpoint = checkpoint(system);
        change(checkpoint, changes);

        assertRefused(checkpoint, message);
    }

    @Test
    void refusesAPNormOtherThanOneAndTwo() throws Exception {
        PublishedCheckpoint checkpoint = checkpoint("dbrx");
        ((ObjectNode) checkpoint.config.get("ffn_config")).put("moe_normalize_expert_weights", 3);

        assertRefused(
                checkpoint,
                "ffn_config.moe_normalize_expert_weights is 3; expected null, 0, 1 or 2");
    }

    private static PublishedCheckpoint checkpoint(String system) throws Exception {
        return GoldenCheckpoints.of(GoldenCases.ofSystems(system).get(0));
    }

    /** Sets keys of config.json, given in the flow style of YAML. */
    private static void change(PublishedCheckpoint checkpoint, String changes) throws Exception {
        String json =
                changes.replaceAll("([a-z_][a-z0-9_-]*)", "\"$1\"")
                        .replaceAll("\"(null|true|false)\"", "$1");
        checkpoint.config.setAll((ObjectNode) new ObjectMapper().readTree(json));
    }

    private Bundle importBundle(PublishedCheckpoint checkpoint, String name) throws Exception {
        Path folder = checkpoint.write(dir.resolve("checkpoint"), DType.F32);
        return CheckpointImporter.importBundle(folder, null, null, dir.resolve(name));
    }

    private RoutingConfig routing(PublishedCheckpoint checkpoint, String name) throws Exception {
        return importBundle(checkpoint, name).spec().layers().get(0).gates().get(0).routing();
    }

    /** The first layer's norm of one token. */
    private float[] norm(PublishedCheckpoint checkpoint, float[] x) throws Exception {
        Bundle bundle = importBundle(checkpoint, "bundle");
        Path file = bundle.file(bundle.spec().layers().get(0).norm().file());
        return OnnxRunner.run(Files.readAllBytes(file), x, x.length);
    }

    /** A weight for each of the d values. */
    private static float[] weight(PublishedCheckpoint checkpoint) {
        String key = checkpoint.config.has("d_model") ? "d_model" : "hidden_size";
        return ramp(checkpoint.config.get(key).intValue());
    }

    private static float[] ramp(int size) {
        float[] ramp = new float[size];
        for (int i = 0; i < size; i++) {
            ramp[i] = 0.5f + i * 0.25f;
        }
        return ramp;
    }

    private static Offset<Double> within() {
        return Offset.offset(1e-5);
    }

    private void assertRefused(PublishedCheckpoint checkpoint, String message) {
        assertThatThrownBy(() -> importBundle(checkpoint, "refused"))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining(message);
        assertThat(dir.resolve("refused")).doesNotExist();
    }
}
