// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.forward;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.tensor.SafetensorsFile;
import io.flinkmoe.tensor.SafetensorsWriter;
import io.flinkmoe.tools.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checkpoints and inputs with values that are not finite, in both engines. */
class ForwardNotFiniteIT {

    private static final int D = 4;
    private static final int N = 4;
    private static final int TOKENS = 3;

    @TempDir private Path folder;

    /** For values above 0 the logit of expert 3 overflows to −∞. */
    @Test
    void aMaskedExpertIsNeverChosen() throws Exception {
        writeCheckpoint(-Float.MAX_VALUE, 1);
        assertThat(importModel().exitCode()).isZero();
        Path reference = forward("reference", 0);
        try (SafetensorsFile answers = SafetensorsFile.open(reference)) {
            assertThat(answers.ints("outcomes")).containsOnly(0);
            assertThat(answers.ints("experts")).doesNotContain(3, -1);
            assertThat(answers.floats("logits")).contains(Float.NEGATIVE_INFINITY);
            for (float value : answers.floats("out")) {
                assertThat(value).isFinite();
            }
        }
        assertThat(forward("flink", 0)).hasSameBinaryContentAs(reference);
    }

    @Test
    void aTokenThatTheHeadAnswersNaNToIsRejected() throws Exception {
        writeCheckpoint(1, 0); // The experts answer 0, so that the head sees the token.
        Path head = folder.resolve("head.onnx");
        Files.write(head, nanAtSeven());
        assertThat(importModel("--head", head).exitCode()).isZero();
        Path reference = forward("reference", 1);
        try (SafetensorsFile answers = SafetensorsFile.open(reference)) {
            float[] out = answers.floats("out");
            assertThat(Arrays.copyOfRange(out, D, 2 * D)).containsOnly(Float.NaN);
            assertThat(Arrays.copyOf(out, D)).containsExactly(1, 2, 3, 4);
            assertThat(Arrays.copyOfRange(answers.ints("outcomes"), 2, 4)).containsOnly(4);
        }
        assertThat(forward("flink", 1)).hasSameBinaryContentAs(reference);
    }

    @Test
    void aWeightThatIsNotFiniteIsNamed() throws Exception {
        writeCheckpoint(1, Float.NaN);
        Program program = importModel();
        assertThat(program.exitCode()).isNotZero();
        assertThat(program.err())
                .contains(
                        "tensor model.layers.0.block_sparse_moe.experts.0.w1.weight: value [0, 0] is NaN");
    }

    private Program importModel(Object... more) throws Exception {
        List<Object> arguments =
                new ArrayList<>(
                        List.of(
                                "import",
                                "--checkpoint",
                                folder.resolve("checkpoint"),
                                "--output",
                                folder.resolve("model")));
        arguments.addAll(List.of(more));
        return Program.run(arguments.toArray());
    }

    private Path forward(String engine, int rejected) throws Exception {
        Path out = folder.resolve(engine + ".safetensors");
        Program program =
                Program.run(
                        "forward",
                        "--bundle",
                        folder.resolve("model"),
                        "--input",
                        folder.resolve("x.safetensors"),
                        "--output",
                        out,
                        "--engine",
                        engine);
        assertThat(program.exitCode()).as(program.err()).isZero();
        assertThat(program.out()).contains("Wrote the answers for 3 tokens");
        assertThat(program.out().contains("Rejected 1 tokens")).isEqualTo(rejected > 0);
        return out;
    }

    /**
     * @param masked the router's weights of expert 3
     * @param weight all weights of the experts
     */
    private void writeCheckpoint(float masked, float weight) throws Exception {
        Path checkpoint = Files.createDirectory(folder.resolve("checkpoint"));
        Files.writeString(
                checkpoint.resolve("config.json"),
                """
                {"model_type": "mixtral", "hidden_act": "silu", "hidden_size": 4,
                  "intermediate_size": 4, "num_local_experts": 4, "num_experts_per_tok": 2,
                  "num_hidden_layers": 1}
                """);
        SafetensorsWriter writer = new SafetensorsWriter();
        float[] gate = new float[N * D];
        for (int i = 0; i < gate.length; i++) {
            gate[i] = i < 3 * D ? i * 37 % 11 - 5 : masked;
        }
        String moe = "model.layers.0.block_sparse_moe.";
        writer.add(moe + "gate.weight", new long[] {N, D}, gate);
        for (int expert = 0; expert < N; expert++) {
            for (String name : List.of("w1", "w2", "w3")) {
                float[] weights = new float[D * D];
                Arrays.fill(weights, weight);
                writer.add(
                        moe + "experts.%d.%s.weight".formatted(expert, name),
                        new long[] {D, D},
                        weights);
            }
        }
        writer.writeTo(checkpoint.resolve("model.safetensors"));
        new SafetensorsWriter()
                .add("x", new long[] {TOKENS, D}, new float[] {1, 2, 3, 4, 4, 3, 7, 1, 1, 1, 2, 2})
                .writeTo(folder.resolve("x.safetensors"));
    }

    private static byte[] nanAtSeven() {
        return new OnnxGraph("nan_at_seven")
                .input("hidden", D)
                .output("output", D)
                .weights("trigger", new float[] {7})
                .weights("zero", new float[1])
                .node("Sub", "shifted", List.of("hidden", "trigger"))
                .node("Mul", "zeros", List.of("shifted", "zero"))
                .node("Div", "nan", List.of("zeros", "shifted"))
                .node("Add", "output", List.of("hidden", "nan"))
                .toBytes();
    }
}
