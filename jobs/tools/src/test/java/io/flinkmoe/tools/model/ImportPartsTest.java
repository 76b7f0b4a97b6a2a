// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.tensor.SafetensorsWriter;
import io.flinkmoe.testing.TinyBundle;
import io.flinkmoe.tools.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code moe import --parts} with a manifest, and with flags. */
class ImportPartsTest {

    private static final List<String> TOP_2 =
            List.of(
                    "--residual",
                    "input",
                    "--scoring-func",
                    "softmax",
                    "--num-experts-per-tok",
                    "2",
                    "--norm-topk-prob",
                    "true");

    @TempDir private Path folder;

    private Path parts;

    /** Parts under their conventional names. */
    @BeforeEach
    void writeParts() throws Exception {
        Bundle tiny = TinyBundle.builder().numExperts(3).writeTo(folder.resolve("tiny")).bundle();
        parts = folder.resolve("parts");
        Files.createDirectories(parts.resolve("experts"));
        Files.copy(tiny.file("layers/0/router.onnx"), parts.resolve("router.onnx"));
        for (int expert = 0; expert < 3; expert++) {
            Files.copy(
                    tiny.file("layers/0/experts/%d.onnx".formatted(expert)),
                    parts.resolve("experts/%d.onnx".formatted(expert)));
        }
    }

    @Test
    void conventionalNamesAndFlags() throws Exception {
        Program program = importParts(TOP_2);

        assertThat(program.err()).isEmpty();
        assertThat(program.exitCode()).isZero();
        assertThat(program.out()).contains("softmax, top 2, normalized");
        Bundle bundle = Bundle.read(folder.resolve("bundle"));
        assertThat(bundle.spec().layers().get(0).numExperts()).isEqualTo(3);
        assertThat(bundle.spec().encoder()).isNull();
    }

    @Test
    void aManifest() throws Exception {
        Files.writeString(
                parts.resolve("manifest.yaml"),
                """
                name: mine
                layers:
                - residual: none
                  experts:
                  - {name: first, file: experts/0.onnx}
                  - {name: other, file: experts/2.onnx}
                  gates:
                  - {name: by_stream, rule: {stream: true, table: {a: first}, fallback: other}}
                """);

        Program program = importParts(List.of());

        assertThat(program.err()).isEmpty();
        assertThat(program.out()).contains("mine", "by_stream", "rule by stream, 1 values");
    }

    /** A router that computes a softmax itself, and an expert whose sums depend on the batch. */
    @Test
    void whatTheProbeRowsShow() throws Exception {
        int d = Bundle.read(folder.resolve("tiny")).spec().firstSize();
        new OnnxGraph("router")
                .input("x", d)
                .output("y", 3)
                .linear("logits", "x", new float[3 * d], null, d, 3)
                .node("Softmax", "y", List.of("logits"), Map.of("axis", 1))
                .writeTo(parts.resolve("router.onnx"));
        new OnnxGraph("expert")
                .input("x", d)
                .output("y", d)
                .linear("wide", "x", ramp(7 * d), null, d, 7)
                .node("Elu", "bent", List.of("wide"))
                .linear("y", "bent", ramp(7 * d), null, 7, d)
                .writeTo(parts.resolve("experts/1.onnx"));

        Program program = importParts(TOP_2);

        assertThat(program.exitCode()).as(program.err()).isZero();
        assertThat(program.err())
                .startsWith(
                        "moe: warning: %s: its outputs are probabilities already"
                                .formatted(parts.resolve("router.onnx")))
                .hasLineCount(1);
        assertThat(program.out())
                .containsPattern("expert 1 .*experts/1.onnx .* rounding")
                .containsPattern("expert 2 .*experts/2.onnx .* exact")
                .contains(
                        "A row's result may depend on the other rows of a call, in its last bits, for"
                                + " layers/0/experts/1.onnx.",
                        "moe.model.row-by-row: true makes it hold.");
    }

    /** As classifiers have: a label beside the numbers. */
    @Test
    void partsWithSeveralOutputs() throws Exception {
        int d = Bundle.read(folder.resolve("tiny")).spec().firstSize();
        for (String file : List.of("router", "experts/0", "experts/1", "experts/2")) {
            int width = file.equals("router") ? 3 : d;
            new OnnxGraph("two")
                    .input("x", d)
                    .output("label", d)
                    .output("probabilities", width)
                    .node("Neg", "label", List.of("x"))
                    .linear("probabilities", "x", ramp(width * d), null, d, width)
                    .writeTo(parts.resolve(file + ".onnx"));
        }
        Program refused = importParts(TOP_2);
        List<String> named = new ArrayList<>(TOP_2);
        named.addAll(
                List.of("--router-output", "probabilities", "--expert-output", "probabilities"));
        Program program = importParts(named);

        assertThat(refused.exitCode()).isEqualTo(1);
        assertThat(refused.err()).contains("it has 2 outputs, [label float [batch, 4], probab");
        assertThat(program.exitCode()).as(program.err()).isZero();
    }

    private static float[] ramp(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = 0.3f - 0.07f * (i % 11);
        }
        return values;
    }

    @Test
    void aStateDictAndFlags() throws Exception {
        new SafetensorsWriter()
                .add("gate.weight", new long[] {2, 2}, new float[4])
                .add("ffn.0.weight", new long[] {3, 2}, new float[6])
                .add("ffn.1.weight", new long[] {3, 2}, new float[6])
                .add("embedding.weight", new long[] {3, 2}, new float[6])
                .writeTo(parts.resolve("model.safetensors"));

        Program program =
                importParts(
                        List.of(
                                "--state-dict",
                                "model.safetensors",
                                "--router",
                                "gate",
                                "--experts",
                                "ffn.{e}",
                                "--activations",
                                "tanh",
                                "--residual",
                                "none",
                                "--scoring-func",
                                "softmax"));

        assertThat(program.exitCode()).as(program.err()).isZero();
        assertThat(program.err())
                .isEqualToIgnoringNewLines(
                        "moe: warning: tensors of the state dict that no part uses: embedding.weight");
        assertThat(program.out()).contains("softmax, dense", "2 to 3");
    }

    @Test
    void aMissingFlagIsNeverGuessed() {
        for (int flag = 0; flag < TOP_2.size(); flag += 2) {
            if (TOP_2.get(flag).equals("--num-experts-per-tok")) {
                continue; // Without it the gate is dense.
            }
            List<String> others = new ArrayList<>(TOP_2);
            others.subList(flag, flag + 2).clear();
            Program program = importParts(others);
            assertThat(program.exitCode()).as(program.out()).isEqualTo(1);
            assertThat(program.err())
                    .contains(parts + ": " + TOP_2.get(flag) + " is missing; set it");
            assertThat(folder.resolve("bundle")).doesNotExist();
        }
    }

    @Test
    void messagesNameTheFlagAndNoManifest() throws Exception {
        List<String> wrong = new ArrayList<>(TOP_2);
        wrong.set(1, "both");
        Program residual = importParts(wrong);
        wrong.set(1, "input");
        wrong.set(5, "4");
        Program tooMany = importParts(wrong);
        Files.delete(parts.resolve("router.onnx"));
        Program missing = importParts(TOP_2);

        assertThat(residual.err()).contains("--residual is \"both\"; expected input or none");
        assertThat(tooMany.err()).contains(parts + ": the gate: num_experts_per_tok is 4");
        assertThat(missing.err()).contains("the router's file is 'router.onnx'; there is no file");
        assertThat(residual.err() + tooMany.err() + missing.err()).doesNotContain("manifest");
    }

    @Test
    void aManifestAndFlagsAreOneTooMany() throws Exception {
        Files.writeString(parts.resolve("manifest.yaml"), "layers: []");

        Program program = importParts(List.of("--residual", "none"));

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err())
                .contains("the folder has a manifest, so --residual cannot be given");
    }

    @Test
    void wrongUse() {
        assertUse("--checkpoint and --parts are missing; give one of them");
        assertUse("--parts is missing", "--residual", "none");
        assertUse("give one of them", "--checkpoint", "x", "--parts", "y");
        assertUse("are for --checkpoint", "--parts", "x", "--layers", "0");
    }

    private void assertUse(String message, Object... options) {
        List<Object> all = new ArrayList<>(List.of("import", "--output", folder.resolve("b")));
        all.addAll(Arrays.asList(options));
        Program program = Program.run(all.toArray());

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err()).contains(message);
    }

    private Program importParts(List<String> options) {
        List<Object> all =
                new ArrayList<>(
                        List.of("import", "--parts", parts, "--output", folder.resolve("bundle")));
        all.addAll(options);
        return Program.run(all.toArray());
    }
}
