// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.golden.GoldenCase;
import io.flinkmoe.golden.GoldenCases;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.tensor.DType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Writes golden layers as checkpoints in the published layouts, and imports them. */
class GoldenImportTest {

    @TempDir Path dir;

    static List<GoldenCase> dropless() throws Exception {
        return GoldenCases.ofSystems(
                "mixtral",
                "qwen2_moe",
                "qwen3_moe",
                "olmoe",
                "dbrx",
                "deepseek_v1",
                "deepseek_v2",
                "deepseek_v3",
                "jetmoe_mlp");
    }

    /** The systems with a capacity, which is not part of a bundle. */
    static List<GoldenCase> dropping() throws Exception {
        return GoldenCases.ofSystems("switch", "nllb_moe");
    }

    static List<GoldenCase> oneOfEachSystem() throws Exception {
        List<GoldenCase> all = new ArrayList<>(dropless());
        all.addAll(dropping());
        Set<String> seen = new HashSet<>();
        return all.stream().filter(golden -> seen.add(golden.system())).toList();
    }

    @ParameterizedTest
    @MethodSource("dropless")
    void theBundleAnswersAsThePublishedCode(GoldenCase golden) throws Exception {
        Path checkpoint = GoldenCheckpoints.of(golden).write(dir.resolve("c"), DType.F32);
        Bundle bundle = importBundle(checkpoint, "bundle");
        float[] x = golden.floats("x");
        int tokens = golden.integer("tokens");

        try (ReferenceModel model = ReferenceModel.open(bundle)) {
            float[] out = model.forward(x, tokens).out();
            for (int i = 0; i < out.length; i++) {
                out[i] -= x[i];
            }
            golden.assertOut(out);
        }
    }

    @ParameterizedTest
    @MethodSource("dropping")
    void routerAndExpertsAnswerAsThePublishedFormulas(GoldenCase golden) throws Exception {
        Path checkpoint = GoldenCheckpoints.of(golden).write(dir.resolve("c"), DType.F32);
        Bundle bundle = importBundle(checkpoint, "bundle");
        LayerSpec layer = bundle.spec().layers().get(0);
        int d = golden.integer("d_model");
        float[] x = golden.floats("x");

        GateSpec gate = layer.gates().get(0);
        assertThat(gate.routing().numExpertsPerTok()).isEqualTo(golden.integer("top_k"));
        assertThat(gate.routing().normTopKProb()).isEqualTo(golden.integer("top_k") > 1);
        golden.assertClose("logits", run(bundle, gate.router().file(), x, d), 1e-5);
        for (int e = 0; e < layer.experts().size(); e++) {
            float[] found = run(bundle, layer.experts().get(e).file().file(), x, d);
            float[] expected = plainExpert(golden, e, x);
            for (int i = 0; i < expected.length; i++) {
                assertThat(found[i])
                        .as("expert %d, value %d", e, i)
                        .isCloseTo(expected[i], Offset.offset(1e-5f));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("oneOfEachSystem")
    void shardsGiveTheSameBundleAsOneFile(GoldenCase golden) throws Exception {
        PublishedCheckpoint checkpoint = GoldenCheckpoints.of(golden);

        Bundle whole = importBundle(checkpoint.write(dir.resolve("whole"), DType.F32), "a");
        Bundle sharded = importBundle(checkpoint.writeShards(dir.resolve("shards"), 3), "b");

        assertThat(sharded.spec().checksums()).isEqualTo(whole.spec().checksums());
        assertThat(sharded.spec().layers()).isEqualTo(whole.spec().layers());
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16"})
    void sixteenBitsGiveTheSameBundleAsTheirValuesIn32(DType type) throws Exception {
        for (GoldenCase golden : oneOfEachSystem()) {
            String name = golden.name();
            PublishedCheckpoint exact = GoldenCheckpoints.of(golden);
            PublishedCheckpoint rounded = GoldenCheckpoints.of(golden).round(type);

            Bundle narrow = importBundle(exact.write(dir.resolve(name + "-16"), type), name + "a");
            Bundle wide =
                    importBundle(rounded.write(dir.resolve(name + "-32"), DType.F32), name + "b");

            assertThat(narrow.spec().checksums()).as(name).isEqualTo(wide.spec().checksums());
            assertThat(narrow.spec().layers()).as(name).isEqualTo(wide.spec().layers());
        }
    }

    private Bundle importBundle(Path checkpoint, String name) throws Exception {
        return CheckpointImporter.importBundle(checkpoint, null, null, dir.resolve(name));
    }

    private static float[] run(Bundle bundle, String file, float[] rows, int width)
            throws Exception {
        return OnnxRunner.run(Files.readAllBytes(bundle.file(file)), rows, width);
    }

    /** (wo relu(wi x + bi) + bo) times the case's scale, in double. */
    private static float[] plainExpert(GoldenCase golden, int expert, float[] x) {
        int d = golden.integer("d_model");
        int h = golden.integer("d_ff");
        int n = golden.integer("num_experts");
        double scale = golden.has("expert_output_scale") ? golden.number("expert_output_scale") : 1;
        float[] wi = golden.floats("experts.wi");
        float[] wo = golden.floats("experts.wo");
        boolean biased = golden.hasTensor("experts.bi");
        float[] bi = biased ? golden.floats("experts.bi") : new float[n * h];
        float[] bo = biased ? golden.floats("experts.bo") : new float[n * d];
        float[] out = new float[x.length];
        for (int at = 0; at < x.length; at += d) {
            double[] inner = new double[h];
            for (int j = 0; j < h; j++) {
                double sum = bi[expert * h + j];
                for (int i = 0; i < d; i++) {
                    sum += (double) wi[(expert * h + j) * d + i] * x[at + i];
                }
                inner[j] = Math.max(sum, 0);
            }
            for (int i = 0; i < d; i++) {
                double sum = bo[expert * d + i];
                for (int j = 0; j < h; j++) {
                    sum += wo[(expert * d + i) * h + j] * inner[j];
                }
                out[at + i] = (float) (sum * scale);
            }
        }
        return out;
    }
}
