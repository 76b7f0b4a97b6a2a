// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.forward;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.model.RuleSpec;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.tensor.SafetensorsFile;
import io.flinkmoe.tensor.SafetensorsWriter;
import io.flinkmoe.tools.Program;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code moe forward} of layers with rules, several gates, and experts that fail. */
class ForwardGatesIT {

    private static final int D = 4;
    private static final int WIDTH = 3;
    private static final int TOKENS = 40;

    @TempDir private Path folder;
    private final Random random = new Random(7);

    @Test
    void ruleAsTheOnlyGateHasNoLogits() throws Exception {
        write(List.of(rule(Map.of("row-1", "0"), "1")), List.of());

        Program program = forwardInBothEngines();

        assertThat(program.out()).doesNotContain("Rejected");
        try (SafetensorsFile answers = SafetensorsFile.open(folder.resolve("reference"))) {
            assertThat(answers.tensors()).doesNotContainKey("logits");
            int[] experts = answers.ints("experts");
            for (int row = 0; row < TOKENS; row++) {
                assertThat(experts[row]).isEqualTo(row % 16 == 1 ? 0 : 1);
            }
        }
    }

    @Test
    void ruleWithoutAMatchRejects() throws Exception {
        write(List.of(rule(Map.of("row-1", "0"), null)), List.of());

        Program program = forwardInBothEngines();

        assertThat(program.out())
                .contains(
                        "Rejected 37 tokens",
                        "  row ",
                        " has a rule without an expert for position ",
                        "  and 27 more");
    }

    @Test
    void ruleBesideARouterSeesTheSameStreamsInBothEngines() throws Exception {
        write(List.of(rule(Map.of("row-1", "0"), "1"), dense("router.onnx", 0, 2)), List.of());

        forwardInBothEngines();
    }

    /** Expert 2 has an infinite output; its choices keep the weights that the gates give them. */
    @Test
    void failedChoicesOfSeveralGatesHaveTheSameWeightsInBothEngines() throws Exception {
        write(List.of(dense("router.onnx", 2, 0), dense("other.onnx", 2, 1)), List.of());

        forwardInBothEngines();

        try (SafetensorsFile answers = SafetensorsFile.open(folder.resolve("reference"))) {
            int[] experts = answers.ints("experts");
            float[] weights = answers.floats("weights");
            for (int choice = 0; choice < experts.length; choice++) {
                assertThat(weights[choice]).isPositive();
            }
        }
    }

    /** Zeros would look like an answer, and so would what a shared expert alone answers. */
    @Test
    void withoutAResidualATokenThatNoExpertExecutesHasNoOutput() throws Exception {
        write(List.of(dense("router.onnx", 2)), List.of("shared.onnx"));

        assertThat(forwardInBothEngines().out()).contains("No output for 40 tokens");
    }

    @Test
    void withoutAResidualATokenWhoseSharedExpertFailsHasNoOutput() throws Exception {
        write(List.of(dense("router.onnx", 0, 1)), List.of("infinite.onnx"));

        assertThat(forwardInBothEngines().out()).contains("No output for 40 tokens");
    }

    private static GateSpec rule(Map<String, String> table, String fallback) {
        return GateSpec.of("by_stream", RuleSpec.ofStream(table, fallback));
    }

    private static GateSpec dense(String router, Integer... experts) {
        RoutingConfig routing = RoutingConfig.dense(experts.length);
        return new GateSpec(
                null, ModelFile.of(router), null, null, null, List.of(experts), routing, null);
    }

    /** Experts 0 and 1 are linear, expert 2 answers infinity. */
    private void write(List<GateSpec> gates, List<String> shared) throws IOException {
        try (BundleWriter writer = new BundleWriter(folder.resolve("model"))) {
            for (String file : List.of("experts/0.onnx", "experts/1.onnx", "shared.onnx")) {
                writer.add(file, linear(WIDTH));
            }
            for (String file : List.of("experts/2.onnx", "infinite.onnx")) {
                writer.add(
                        file,
                        new OnnxGraph("infinite")
                                .input("input", D)
                                .output("output", WIDTH)
                                .linear("zero", "input", new float[D * WIDTH], null, D, WIDTH)
                                .node("Reciprocal", "output", List.of("zero")));
            }
            for (GateSpec gate : gates) {
                if (gate.router() != null) {
                    writer.add(gate.router().file(), linear(gate.k()));
                }
            }
            List<ExpertSpec> experts =
                    List.of(
                            ExpertSpec.of("experts/0.onnx", WIDTH),
                            ExpertSpec.of("experts/1.onnx", WIDTH),
                            ExpertSpec.of("experts/2.onnx", WIDTH));
            int out = WIDTH * gates.size();
            LayerSpec layer =
                    new LayerSpec(
                            D,
                            out,
                            null,
                            null,
                            ResidualKind.NONE,
                            experts,
                            shared.stream().map(ModelFile::of).toList(),
                            gates,
                            null);
            writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    BundleSpec.FORMAT_VERSION,
                                    "gates",
                                    version,
                                    D,
                                    out,
                                    null,
                                    null,
                                    List.of(layer),
                                    checksums));
        }
    }

    private OnnxGraph linear(int out) {
        return new OnnxGraph("linear")
                .input("input", D)
                .output("output", out)
                .linear("output", "input", draw(D * out), null, D, out);
    }

    private float[] draw(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** Returns what the reference printed. */
    private Program forwardInBothEngines() throws Exception {
        new SafetensorsWriter()
                .add("x", new long[] {TOKENS, D}, draw(TOKENS * D))
                .writeTo(folder.resolve("in"));
        Program flink = forward("flink");
        Program reference = forward("reference");
        assertThat(folder.resolve("flink")).hasSameBinaryContentAs(folder.resolve("reference"));
        assertThat(flink.out().replace("/flink", "/reference")).isEqualTo(reference.out());
        return reference;
    }

    private Program forward(String engine) {
        Program program =
                Program.run(
                        "forward",
                        "--bundle",
                        folder.resolve("model"),
                        "--input",
                        folder.resolve("in"),
                        "--output",
                        folder.resolve(engine),
                        "--engine",
                        engine);
        assertThat(program.exitCode()).as(program.err()).isZero();
        return program;
    }
}
