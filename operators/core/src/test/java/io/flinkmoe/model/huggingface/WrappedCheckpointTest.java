// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.golden.GoldenCase;
import io.flinkmoe.golden.GoldenCases;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Checkpoints whose tensors and keys are wrapped give the same bundle, byte for byte, as the plain
 * ones that the golden cases are written as.
 */
class WrappedCheckpointTest {
    private static final List<String> PROJECTIONS = List.of("gate_proj", "up_proj", "down_proj");
    private static final List<String> NUMBERS = List.of("w1", "w3", "w2");

    /** Where the experts of a system are in its golden checkpoint. */
    static final Map<String, String> EXPERTS =
            Map.of(
                    "mixtral", "model.layers.0.block_sparse_moe.experts",
                    "qwen2_moe", "model.layers.1.mlp.experts",
                    "qwen3_moe", "model.layers.1.mlp.experts",
                    "olmoe", "model.layers.0.mlp.experts",
                    "deepseek_v1", "model.layers.1.mlp.experts",
                    "deepseek_v2", "model.layers.1.mlp.experts",
                    "deepseek_v3", "model.layers.1.mlp.experts");

    @TempDir Path dir;
    private int imports;

    static List<GoldenCase> oneOfEachSystem() throws Exception {
        return GoldenImportTest.oneOfEachSystem();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "mixtral",
                "qwen2_moe",
                "qwen3_moe",
                "olmoe",
                "deepseek_v1",
                "deepseek_v2",
                "deepseek_v3"
            })
    void fusedExpertsInBothOrientations(String system) throws Exception {
        BundleSpec plain = importBundle(of(system));
        for (boolean transposed : new boolean[] {false, true}) {
            PublishedCheckpoint fused = fused(system, transposed);
            assertSame(importBundle(fused), plain);

            fused.rename(name -> name.endsWith("_proj") ? name + ".weight" : name);
            assertSame(importBundle(fused), plain);
        }
    }

    /** With such widths one of the two shapes is the same in both orientations. */
    @ParameterizedTest
    @CsvSource({"4, 4", "4, 2", "6, 5"})
    void theOrientationIsClearForAllWidths(int d, int h) throws Exception {
        BundleSpec plain = importBundle(random(d, h));
        for (boolean transposed : new boolean[] {false, true}) {
            String experts = EXPERTS.get("mixtral");
            assertSame(importBundle(random(d, h).fuse(experts, NUMBERS, transposed)), plain);
        }
    }

    private static PublishedCheckpoint random(int d, int h) {
        PublishedCheckpoint checkpoint = new PublishedCheckpoint("mixtral");
        checkpoint.config.put("hidden_size", d).put("intermediate_size", h);
        checkpoint.config.put("num_local_experts", 2).put("num_experts_per_tok", 1);
        checkpoint.config.put("num_hidden_layers", 1);
        checkpoint.add("model.layers.0.block_sparse_moe.gate.weight", new float[2 * d], 2, d);
        float next = 0;
        for (int e = 0; e < 2; e++) {
            for (String matrix : NUMBERS) {
                float[] data = new float[d * h];
                for (int i = 0; i < data.length; i++) {
                    data[i] = ++next;
                }
                String name = "%s.%d.%s.weight".formatted(EXPERTS.get("mixtral"), e, matrix);
                long[] shape = matrix.equals("w2") ? new long[] {d, h} : new long[] {h, d};
                checkpoint.add(name, data, shape);
            }
        }
        return checkpoint;
    }

    @Test
    void mixtralAsNewerVersionsNameIt() throws Exception {
        BundleSpec plain = importBundle(of("mixtral"));
        for (PublishedCheckpoint newer : List.of(of("mixtral"), fused("mixtral", false))) {
            newer.rename(name -> name.replace("block_sparse_moe", "mlp"));
            assertSame(importBundle(newer), plain);
        }
    }

    @Test
    void expertsWithTheOtherNames() throws Exception {
        BundleSpec mixtral = importBundle(of("mixtral"));
        PublishedCheckpoint projections = of("mixtral");
        projections.rename(name -> renamed(name, NUMBERS, PROJECTIONS));
        assertSame(importBundle(projections), mixtral);

        BundleSpec qwen = importBundle(of("qwen2_moe"));
        PublishedCheckpoint numbers = of("qwen2_moe");
        numbers.rename(name -> renamed(name, PROJECTIONS, NUMBERS));
        assertSame(importBundle(numbers), qwen);
    }

    private static String renamed(String name, List<String> from, List<String> to) {
        String renamed = name;
        for (int i = 0; i < from.size(); i++) {
            String ending = "." + from.get(i) + ".weight";
            if (name.endsWith(ending)) {
                renamed =
                        name.substring(0, name.length() - ending.length())
                                + "."
                                + to.get(i)
                                + ".weight";
            }
        }
        return renamed;
    }

    /** The input projection of JetMoE is fused as published. */
    @Test
    void jetMoeMayBeTransposed() throws Exception {
        BundleSpec plain = importBundle(of("jetmoe_mlp"));
        PublishedCheckpoint transposed = of("jetmoe_mlp");
        transposed.transpose("model.layers.0.mlp.input_linear.weight");
        transposed.transpose("model.layers.0.mlp.output_linear.weight");

        assertSame(importBundle(transposed), plain);
    }

    @ParameterizedTest
    @MethodSource("oneOfEachSystem")
    void everyFamilyUnderAnotherRoot(GoldenCase golden) throws Exception {
        BundleSpec plain = importBundle(GoldenCheckpoints.of(golden));
        for (String root : new String[] {"", "language_model.model.", "module.a.b-c.model."}) {
            PublishedCheckpoint moved = GoldenCheckpoints.of(golden);
            moved.rename(name -> root + name.replaceFirst("^(model|transformer)\\.", ""));
            // A tower of another kind has layers of its own, here even with routers.
            moved.add("vision_tower.layers.0.mlp.gate.weight", new float[2], 1, 2);
            moved.add("visual.blocks.0.norm1.weight", new float[2], 2);
            assertSame(importBundle(moved), plain);
        }
    }

    @ParameterizedTest
    @MethodSource("oneOfEachSystem")
    void everyFamilyAsCompilersAndDistributedTrainingNameIt(GoldenCase golden) throws Exception {
        BundleSpec plain = importBundle(GoldenCheckpoints.of(golden));
        for (String wrapper :
                new String[] {"_orig_mod.", "module._fsdp_wrapped_module._orig_mod."}) {
            PublishedCheckpoint outside = GoldenCheckpoints.of(golden);
            outside.rename(name -> wrapper + name);
            assertSame(importBundle(outside), plain);

            PublishedCheckpoint inside = GoldenCheckpoints.of(golden);
            inside.rename(name -> name.replaceFirst("(\\.[01]\\.)", "$1" + wrapper));
            assertSame(importBundle(inside), plain);
        }
    }

    @ParameterizedTest
    @MethodSource("oneOfEachSystem")
    void everyFamilyInsideALargerModel(GoldenCase golden) throws Exception {
        BundleSpec plain = importBundle(GoldenCheckpoints.of(golden));
        for (String key : new String[] {"text_config", "language_config", "llm_config"}) {
            PublishedCheckpoint nested = GoldenCheckpoints.of(golden);
            ObjectNode inner = nested.config.deepCopy();
            nested.config.removeAll();
            nested.config.put("model_type", "some_vision_language_model").set(key, inner);
            nested.config.putObject("vision_config").put("hidden_size", 5);
            assertSame(importBundle(nested), plain);

            inner.remove("model_type");
            nested.config.set("model_type", GoldenCheckpoints.of(golden).config.get("model_type"));
            assertSame(importBundle(nested), plain);
        }
    }

    @ParameterizedTest
    @MethodSource("oneOfEachSystem")
    void whatNobodyNeedsDoesNotMatter(GoldenCase golden) throws Exception {
        BundleSpec plain = importBundle(GoldenCheckpoints.of(golden));
        PublishedCheckpoint more = GoldenCheckpoints.of(golden);
        more.addOpaque("rotary.freqs_cis", "C64", 8)
                .addOpaque("a.scales", "F8_E8M0", 1)
                .addOpaque("b", "F4", 1);
        more.config.putObject("quantization_config").put("quant_method", "fp8");
        assertSame(importBundle(more), plain);
    }

    @Test
    void theOtherKeyOfTheNumberOfExperts() throws Exception {
        BundleSpec qwen = importBundle(of("qwen3_moe"));
        PublishedCheckpoint newer = of("qwen3_moe");
        newer.config.set("num_local_experts", newer.config.remove("num_experts"));
        assertSame(importBundle(newer), qwen);

        BundleSpec mixtral = importBundle(of("mixtral"));
        PublishedCheckpoint other = of("mixtral");
        other.config.set("num_experts", other.config.remove("num_local_experts"));
        assertSame(importBundle(other), mixtral);
    }

    @Test
    void noGroups() throws Exception {
        for (String system : new String[] {"deepseek_v2", "deepseek_v3"}) {
            PublishedCheckpoint one = of(system);
            one.config.put(
                    "topk_method",
                    system.equals("deepseek_v2") ? "group_limited_greedy" : "noaux_tc");
            one.config.put("n_group", 1).put("topk_group", 1);
            BundleSpec expected = importBundle(one);
            assertThat(expected.layers().get(0).gates().get(0).routing().groupLimit()).isNull();

            one.config.putNull("n_group");
            assertSame(importBundle(one), expected);
            one.config.putNull("topk_group");
            assertSame(importBundle(one), expected);
            one.config.put("n_group", 1);
            assertSame(importBundle(one), expected);
        }
    }

    @Test
    void aListOfMoeLayers() throws Exception {
        BundleSpec plain = importBundle(of("deepseek_v2"));
        PublishedCheckpoint listed = of("deepseek_v2");
        listed.config.remove("first_k_dense_replace");
        listed.config.putArray("moe_layer_freq").add(0).add(1);
        assertSame(importBundle(listed), plain);
    }

    static PublishedCheckpoint fused(String system, boolean transposed) throws Exception {
        List<String> names = system.equals("mixtral") ? NUMBERS : PROJECTIONS;
        return of(system).fuse(EXPERTS.get(system), names, transposed);
    }

    static PublishedCheckpoint of(String system) throws Exception {
        return GoldenCheckpoints.of(GoldenCases.ofSystems(system).get(0));
    }

    private BundleSpec importBundle(PublishedCheckpoint checkpoint) throws Exception {
        imports++;
        Path folder = checkpoint.write(dir.resolve("checkpoint" + imports), DType.F32);
        Bundle bundle =
                CheckpointImporter.importBundle(
                        folder, null, null, dir.resolve("bundle" + imports));
        return bundle.spec();
    }

    private static void assertSame(BundleSpec found, BundleSpec expected) {
        assertThat(found.checksums()).isEqualTo(expected.checksums());
        assertThat(found.layers()).isEqualTo(expected.layers());
        assertThat(found.version()).isEqualTo(expected.version());
    }
}
