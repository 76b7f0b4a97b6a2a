// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static io.flinkmoe.model.huggingface.WrappedCheckpointTest.fused;
import static io.flinkmoe.model.huggingface.WrappedCheckpointTest.of;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.tensor.DType;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tensors that must not be ignored or guessed at, because that would change the answer. */
class RefusedCheckpointTest {
    private static final String EXPERTS = WrappedCheckpointTest.EXPERTS.get("qwen3_moe");

    @TempDir Path dir;

    @Test
    void fusedTensorsOfAnotherShapeAreNamed() throws Exception {
        PublishedCheckpoint fused = fused("qwen3_moe", false);
        fused.add(EXPERTS + ".gate_up_proj", new float[30], 3, 5, 2);
        assertRefused(
                fused, "tensor %s.gate_up_proj has shape [3, 5, 2]; expected [".formatted(EXPERTS));

        fused = fused("qwen3_moe", true);
        fused.add(EXPERTS + ".down_proj", new float[30], 3, 5, 2);
        assertRefused(
                fused, "tensor %s.down_proj has shape [3, 5, 2]; expected [".formatted(EXPERTS));

        assertRefused(
                fused("qwen3_moe", true).remove(EXPERTS + ".down_proj"),
                "there is no tensor %s.down_proj among".formatted(EXPERTS));
    }

    @Test
    void aBiasThatTheFamilyDoesNotHaveIsNotIgnored() throws Exception {
        assertRefused(
                fused("qwen3_moe", false).add(EXPERTS + ".gate_up_proj_bias", new float[1], 1),
                "there is a tensor %s.gate_up_proj_bias, but".formatted(EXPERTS));
        assertRefused(
                of("qwen3_moe").add(EXPERTS + ".0.up_proj.bias", new float[1], 1),
                "there is a tensor %s.0.up_proj.bias, but".formatted(EXPERTS));
    }

    @Test
    void severalModelsInOneCheckpointAreNotGuessedAt() throws Exception {
        PublishedCheckpoint two = of("mixtral");
        two.add("draft.layers.0.block_sparse_moe.gate.weight", new float[2], 1, 2);
        assertRefused(
                two,
                "it contains several models, whose layers are draft.layers.* and model.layers.*;"
                        + " keep the tensors of one of them");

        String gate = "model.layers.0.block_sparse_moe.gate.weight";
        PublishedCheckpoint twice = of("mixtral").add("_orig_mod." + gate, new float[2], 1, 2);
        assertRefused(twice, "are the same tensor; keep one of them");
    }

    @ParameterizedTest
    @CsvSource({
        "weight, F4, 1, is F4; only",
        "weight, I8, 1, is I8; only",
        "qweight, I32, 4, 'is packed: there is model.layers.1.mlp.experts.0.up_proj.qweight'"
    })
    void aQuantizedExpertIsNamed(String part, String type, int bytes, String message)
            throws Exception {
        String matrix = EXPERTS + ".0.up_proj.";
        PublishedCheckpoint quantized = of("qwen3_moe").remove(matrix + "weight");
        quantized.addOpaque(matrix + part, type, bytes);
        quantized.config.putObject("quantization_config").put("quant_method", "fp8");

        assertRefused(quantized, "tensor %sweight %s".formatted(matrix, message));
        assertRefused(quantized, "a quantized checkpoint (fp8) must be converted to bfloat16");
    }

    @ParameterizedTest
    @CsvSource({
        "weight, F8_E4M3, 1, 'weight is F8_E4M3, but there is no scale beside it'",
        "weight_packed, I32, 4, 'weight_packed is packed, but there is no'"
    })
    void aPackedExpertWithoutScaleIsNamed(String part, String type, int bytes, String message)
            throws Exception {
        String matrix = EXPERTS + ".0.up_proj.";
        PublishedCheckpoint quantized = of("qwen3_moe").remove(matrix + "weight");
        quantized.addOpaque(matrix + part, type, bytes);

        assertRefused(quantized, "tensor %s%s".formatted(matrix, message));
    }

    /** A scale beside a weight of any type would change the answer. */
    @ParameterizedTest
    @ValueSource(strings = {"weight_scale_inv", "weight_scale", "scales", "SCB", "weight.absmax"})
    void aScaleIsNotIgnored(String scale) throws Exception {
        String matrix = EXPERTS + ".0.up_proj.";
        PublishedCheckpoint scaled = of("qwen3_moe").add(matrix + scale, new float[1], 1);

        assertRefused(scaled, "is packed: there is " + matrix + scale);
    }

    private void assertRefused(PublishedCheckpoint checkpoint, String message) {
        assertThatThrownBy(
                        () ->
                                CheckpointImporter.importBundle(
                                        checkpoint.write(dir.resolve("checkpoint"), DType.F32),
                                        null,
                                        null,
                                        dir.resolve("bundle")))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining(message);
        assertThat(dir.resolve("bundle")).doesNotExist();
    }
}
