// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.RuleSpec;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.MlpGraph;
import io.flinkmoe.model.graph.ProtoWriter;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.tensor.SafetensorsFile;
import io.flinkmoe.tensor.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PartsImporterTest {

    private static final Path TEXTBOOK =
            Path.of("src", "test", "resources", "parts", "textbook_moe");

    private static final String STATE =
            "{'state_dict': 'model.safetensors', 'linears': ['%s'], 'activations': ['none']}";

    @TempDir private Path folder;

    /** As tutorials write it: argmax, two experts, all of them. */
    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "out_argmax; 'num_experts_per_tok': 1, 'norm_topk_prob': true,",
                "out_top2; 'num_experts_per_tok': 2, 'norm_topk_prob': false,",
                "out_dense; ''"
            })
    void aPlainStateDictAnswersAsItsOwnCode(String answer, String selection) throws Exception {
        PartsImporter.Result result = importParts(TEXTBOOK, textbook(selection));

        assertThat(result.unusedTensors()).isEmpty();
        try (ReferenceModel model = ReferenceModel.open(result.bundle());
                SafetensorsFile expected =
                        SafetensorsFile.open(TEXTBOOK.resolve("expected.safetensors"))) {
            float[] x = expected.floats("x");
            float[] out = expected.floats(answer);
            float[] found = model.forward(x, x.length / 128).out();
            assertThat(found).hasSize(out.length);
            for (int i = 0; i < out.length; i++) {
                assertThat(Math.abs(found[i] - out[i])).isLessThan(1e-5f * 4);
            }
        }
    }

    private static String textbook(String selection) {
        return ("{'name': 'textbook', 'layers': [{'residual': 'none', 'experts': %s, 'gates':"
                        + " [{'router': %s, %s 'scoring_func': 'softmax'}]}]}")
                .formatted(
                        STATE.formatted("experts.{e}.linear"),
                        STATE.formatted("router.linear"),
                        selection);
    }

    @Test
    void expertsOfTwoLayersWithoutBias() throws Exception {
        new SafetensorsWriter()
                .add("gate.weight", new long[] {2, 2}, new float[] {5, 0, 0, 5})
                .add("ffn.0.up.weight", new long[] {1, 2}, new float[] {1, 0})
                .add("ffn.0.down.weight", new long[] {2, 1}, new float[] {2, 3})
                .add("ffn.1.up.weight", new long[] {1, 2}, new float[] {-1, 0})
                .add("ffn.1.down.weight", new long[] {2, 1}, new float[] {4, 5})
                .add("lm_head.weight", new long[] {1, 2}, new float[] {1, 1})
                .writeTo(folder.resolve("model.safetensors"));
        String manifest =
                "{'layers': [{'residual': 'input', 'experts': {'state_dict': 'model.safetensors',"
                        + " 'linears': ['ffn.{e}.up', 'ffn.{e}.down'], 'activations': ['relu', 'none']},"
                        + " 'gates': [{'router': %s, 'scoring_func': 'softmax', 'num_experts_per_tok':"
                        + " 1, 'norm_topk_prob': true}]}]}";

        PartsImporter.Result result =
                importParts(folder, manifest.formatted(STATE.formatted("gate")));

        assertThat(result.unusedTensors()).containsExactly("lm_head.weight");
        try (ReferenceModel model = ReferenceModel.open(result.bundle())) {
            // Expert 0 gives relu(2) · (2, 3); expert 1 gives relu(-1) · (4, 5).
            assertThat(model.forward(new float[] {2, 1, 1, 2}, 2).out())
                    .containsExactly(2 + 4, 1 + 6, 1, 2);
        }
    }

    /** Numbers begin with 0 or 1, may have leading zeros, and stand anywhere in the name. */
    @ParameterizedTest
    @CsvSource({
        "expert%d.fc, expert{e}.fc, 0",
        "moe.expert_%d.net.0, moe.expert_{e}.net.0, 1",
        "e.%02d.w, e.{e}.w, 0",
        "e%1$d.part%1$d, e{e}.part{e}, 1"
    })
    void expertsAreNumberedInManyWays(String name, String pattern, int first) throws Exception {
        SafetensorsWriter writer = new SafetensorsWriter();
        for (int i = 0; i < 12; i++) {
            writer.add(
                    name.formatted(first + i) + ".weight", new long[] {1, 1}, new float[] {i + 1});
        }
        writer.add("gate.weight", new long[] {12, 1}, new float[12])
                .writeTo(folder.resolve("model.safetensors"));
        String manifest =
                "{'layers': [{'residual': 'none', 'experts': %s, 'gates': [{'router': %s,"
                        + " 'scoring_func': 'softmax'}]}]}";

        PartsImporter.Result result =
                importParts(
                        folder,
                        manifest.formatted(STATE.formatted(pattern), STATE.formatted("gate")));

        assertThat(result.unusedTensors()).isEmpty();
        try (ReferenceModel model = ReferenceModel.open(result.bundle())) {
            assertThat(model.forward(new float[] {2}, 1).out()).containsExactly(2 * 78 / 12f);
        }
    }

    @Test
    void aGapBetweenTheExpertsIsRefused() throws Exception {
        SafetensorsWriter writer = new SafetensorsWriter();
        for (int i : new int[] {0, 1, 3}) {
            writer.add("e." + i + ".weight", new long[] {1, 1}, new float[1]);
        }
        writer.writeTo(folder.resolve("model.safetensors"));

        assertThatThrownBy(() -> importParts(folder, layerOf(STATE.formatted("e.{e}"))))
                .hasMessageContaining(
                        "there is e.3.weight, but not e.2.weight; experts must be numbered without a gap, from 0 or 1");
    }

    /** In a list, a state dict can be one expert or several. */
    @Test
    void expertsOfSeveralStateDicts() throws Exception {
        for (int i = 0; i < 2; i++) {
            new SafetensorsWriter()
                    .add("net.0.weight", new long[] {2, 1}, new float[] {i + 1, 10})
                    .add("net.2.weight", new long[] {1, 2}, new float[] {1, 0})
                    .writeTo(folder.resolve("expert" + i + ".safetensors"));
        }
        new SafetensorsWriter()
                .add("gate.weight", new long[] {4, 1}, new float[4])
                .add("more.0.weight", new long[] {1, 1}, new float[] {3})
                .add("more.1.weight", new long[] {1, 1}, new float[] {6})
                .writeTo(folder.resolve("model.safetensors"));
        String one =
                "{'state_dict': 'expert%d.safetensors', 'linears': ['net.0', 'net.2'],"
                        + " 'activations': ['leaky_relu', 'none']}";
        String experts =
                "[%s, %s, %s]"
                        .formatted(one.formatted(0), one.formatted(1), STATE.formatted("more.{e}"));
        String manifest =
                "{'layers': [{'residual': 'none', 'experts': %s, 'gates': [{'router': %s,"
                        + " 'scoring_func': 'softmax'}]}]}";

        PartsImporter.Result result =
                importParts(folder, manifest.formatted(experts, STATE.formatted("gate")));

        try (ReferenceModel model = ReferenceModel.open(result.bundle())) {
            assertThat(model.forward(new float[] {2, -100}, 2).out())
                    .containsExactly((2 + 4 + 6 + 12) / 4f, (-1 - 2 - 300 - 600) / 4f);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"model.pt", "pytorch_model.bin", "last.CKPT"})
    void aPickleIsRefused(String name) throws Exception {
        Files.write(folder.resolve(name), new byte[] {'P', 'K', 3, 4});

        assertThatThrownBy(
                        () ->
                                importParts(
                                        folder,
                                        layerOf(
                                                STATE.formatted("e.{e}")
                                                        .replace("model.safetensors", name))))
                .isInstanceOf(BundleException.class)
                .hasMessageStartingWith(folder.resolve(name) + ": it is a pickle of PyTorch")
                .hasMessageEndingWith(
                        "from safetensors.torch import save_file; save_file(torch.load('%s',"
                                        .formatted(name)
                                + " weights_only=True), 'model.safetensors')");
    }

    private static String layerOf(String experts) {
        return "{'layers': [{'residual': 'none', 'experts': %s, 'gates': []}]}".formatted(experts);
    }

    @Test
    void aRuleWithATableInAFile() throws Exception {
        linear("a.onnx", new float[] {2}, 1, 1);
        linear("b.onnx", new float[] {3}, 1, 1);
        Path table = Files.writeString(folder.resolve("tenants.csv"), "tenant,expert\nx,b\ny,a\n");
        String manifest =
                "{'layers': [{'residual': 'none', 'experts': [{'name': 'a', 'file': 'a.onnx'}, {'name':"
                        + " 'b', 'file': 'b.onnx'}], 'gates': [{'rule': {'stream': true,"
                        + " 'table_file': 'tenants.csv', 'fallback': 'a'}}]}]}";

        RuleSpec rule =
                importParts(folder, manifest).bundle().spec().layers().get(0).gates().get(0).rule();

        assertThat(rule.table()).isEqualTo(Map.of("x", "b", "y", "a"));

        Files.move(folder.resolve("bundle"), folder.resolve("first"));
        Files.writeString(table, "x,b\ny,c\n");
        assertThatThrownBy(() -> importParts(folder, manifest))
                .isInstanceOf(BundleException.class)
                .hasMessage(
                        table + ": line 2 has the expert 'c', which is not there; allowed: [a, b]");
        assertThatThrownBy(
                        () ->
                                importParts(
                                        folder,
                                        manifest.replace(
                                                "'table_file'", "'table': {}, 'table_file'")))
                .hasMessageContaining("expected nothing, as there is a table");
    }

    /** Where files leave widths open, other parts or the manifest say them. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'a.onnx', 'open.onnx' | ",
                "'open.onnx', {'file': 'a.onnx', 'output': 'output'} | ",
                "'open.onnx', 'open.onnx' | 'input_size': 2, 'residual': 'input',",
                "{'file': 'open.onnx', 'output_size': 2}, 'open.onnx' | 'input_size': 2,"
            })
    void openWidthsAreFilled(String experts, String fields) throws Exception {
        linear("a.onnx", new float[] {1, 0, 0, 1}, 2, 2);
        Files.write(folder.resolve("open.onnx"), openIdentity());

        Bundle bundle = importParts(folder, openLayer(experts, fields)).bundle();

        assertThat(bundle.spec().inputSize()).isEqualTo(2);
        boolean hasResidual = fields != null && fields.contains("residual");
        try (ReferenceModel model = ReferenceModel.open(bundle)) {
            int times = hasResidual ? 2 : 1;
            assertThat(model.forward(new float[] {3, 4}, 1).out())
                    .containsExactly(3 * times, 4 * times);
        }
    }

    @Test
    void theWidthOfAnInputFillsAnOpenOne() throws Exception {
        Files.write(folder.resolve("open.onnx"), openIdentity());
        String layer = openLayer("{'file': 'open.onnx', 'output_size': 2}", null);

        Bundle bundle =
                importParts(folder, "{'inputs': {'v': {'width': 2}}," + layer.substring(1))
                        .bundle();

        assertThat(bundle.spec().firstSize()).isEqualTo(2);
        assertThat(bundle.spec().inputs().get(0).name()).isEqualTo("v");
    }

    @Test
    void anInputSizeThatContradictsThePartsIsRefused() throws Exception {
        linear("a.onnx", new float[] {1, 0, 0, 1}, 2, 2);

        assertThatThrownBy(() -> importParts(folder, openLayer("'a.onnx'", "'input_size': 3,")))
                .hasMessage(
                        "%s: layers[0].input_size is 3; expected 2, the width of the vectors that the parts read or write"
                                .formatted(folder.resolve("manifest.yaml")));
        assertThatThrownBy(
                        () ->
                                importParts(
                                        folder,
                                        "{'inputs': {'v': {'width': 3}},"
                                                + openLayer("'a.onnx'", null).substring(1)))
                .hasMessageContaining("3")
                .hasMessageContaining("2")
                .hasMessageContaining("v");
    }

    @Test
    void anOpenWidthThatNothingSaysIsAskedFor() throws Exception {
        Files.write(folder.resolve("open.onnx"), openIdentity());

        assertThatThrownBy(() -> importParts(folder, openLayer("'open.onnx'", null)))
                .hasMessageContaining("set layers[0].input_size");
        assertThatThrownBy(() -> importParts(folder, openLayer("'open.onnx'", "'input_size': 2,")))
                .hasMessage(
                        "%s: it does not say the width of its output; set output_size of the expert in the manifest: {file: open.onnx, output_size: WIDTH}"
                                .formatted(folder.resolve("open.onnx")));
    }

    private static String openLayer(String experts, String fields) {
        String residual =
                fields != null && fields.contains("residual") ? "" : "'residual': 'none',";
        return ("{'layers': [{%s %s 'experts': [%s], 'gates': [{'rule': {'stream': true, 'table':"
                        + " {'s': '0'}, 'fallback': '0'}}]}]}")
                .formatted(fields == null ? "" : fields, residual, experts);
    }

    /** A graph whose input and output are float [batch, any]. */
    private static byte[] openIdentity() {
        ProtoWriter node = new ProtoWriter().string(1, "x").string(2, "y").string(4, "Identity");
        return new ProtoWriter()
                .varint(1, 8)
                .message(
                        7,
                        new ProtoWriter()
                                .message(1, node)
                                .string(2, "open")
                                .message(11, openValue("x"))
                                .message(12, openValue("y")))
                .message(8, new ProtoWriter().string(1, "").varint(2, 17))
                .toBytes();
    }

    private static ProtoWriter openValue(String name) {
        ProtoWriter shape =
                new ProtoWriter()
                        .message(1, new ProtoWriter().string(2, "rows"))
                        .message(1, new ProtoWriter());
        ProtoWriter tensor = new ProtoWriter().varint(1, 1).message(2, shape);
        return new ProtoWriter().string(1, name).message(2, new ProtoWriter().message(1, tensor));
    }

    /** By the number in the name: 2 before 10. Gates see other experts and slices. */
    @Test
    void onnxPartsWithSeveralGates() throws Exception {
        Files.createDirectories(folder.resolve("experts"));
        for (int i = 0; i <= 10; i++) {
            linear("experts/part-" + i + ".onnx", new float[] {i, 0}, 2, 1);
        }
        linear("experts/notes.txt", new float[] {1}, 1, 1);
        linear("a.onnx", new float[] {0, 0}, 1, 2);
        linear("b.onnx", new float[22], 2, 11);
        String manifest =
                "{'layers': [{'residual': 'none', 'experts': 'experts/*.onnx', 'gates': [{'name':"
                        + " 'a', 'router': 'a.onnx', 'input': [1, 2], 'experts': [10, 2],"
                        + " 'scoring_func': 'softmax'}, {'name': 'b', 'router': 'b.onnx',"
                        + " 'scoring_func': 'sigmoid', 'num_experts_per_tok': 1, 'norm_topk_prob':"
                        + " true}]}]}";

        Bundle bundle = importParts(folder, manifest).bundle();

        assertThat(bundle.spec().outputSize()).isEqualTo(2);
        try (ReferenceModel model = ReferenceModel.open(bundle)) {
            // (10 + 2) / 2 and expert 0, as all scores are equal.
            assertThat(model.forward(new float[] {1, 7}, 1).out()).containsExactly(6, 0);
        }
    }

    private void linear(String file, float[] weight, int in, int out) throws IOException {
        MlpGraph.of("linear", List.of(MlpGraph.Layer.of(weight, null, Activation.NONE, in, out)))
                .writeTo(folder.resolve(file));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{} | layers is missing; set it",
                "{'layer': []} | layer is not a known field; known fields are [encoder, head, inputs, layers, name]",
                "{'layers': {}} | layers is {}; expected a list",
                "{'layers': []} | layers is []; expected at least one layer",
                "{'layers': [{}]} | layers[0].residual is missing; set it",
                "{'layers': [{'residual': 'none'}]} | layers[0].experts is missing; set it",
                "{'layers': [{'residual': 'none', 'experts': 'no/*.onnx'}]} | layers[0].experts is 'no/*.onnx'; there is no such file in",
                "{'layers': [{'residual': 'none', 'experts': 7}]} | layers[0].experts is 7; expected a text",
                "{'encoder': 'e.onnx', 'layers': []} | encoder is 'e.onnx'; there is no file",
                "{'colour': {}, 'layers': []} | colour is not a known field"
            })
    void aWrongManifestIsRefused(String manifest, String message) {
        assertRefused(manifest, message);
    }

    /** One word of a manifest that works is replaced. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "scoring_func | scoring_funk | layers[0].gates[0].scoring_func is missing; set it",
                "softmax | soft | scoring_func is \"soft\"; expected one of [softmax, sigmoid, identity, sparsemixer]",
                "norm_topk_prob | norm | layers[0].gates[0].norm_topk_prob is missing; set it",
                "tok': 2 | tok': 5 | layers[0].gates[0]: num_experts_per_tok is 5; allowed: 1 to num_experts, which is 4",
                "'none', 'exp | 'some', 'exp | layers[0].residual is \"some\"; expected input or none",
                "'none', 'exp | 'input', 'exp | layers[0]: residual is input, but input_size is 128 and output_size is 64",
                "{e}. | 0. | layers[0].experts.linears[0] is \"experts.0.linear\"; expected a name with {e}",
                "experts.{e} | expert.{e} | there is no tensor expert.0.linear.weight",
                "['none'] | ['swish'] | expected one of [relu, relu2, silu, gelu_tanh, gelu_erf, tanh, sigmoid, leaky_relu, none]",
                "['none'] | [] | expected one activation per linear layer, 1"
            })
    void aWrongWordIsRefused(String word, String other, String message) {
        String right = textbook("'num_experts_per_tok': 2, 'norm_topk_prob': false,");
        int at = right.indexOf(word);
        assertThat(at).isPositive();
        String wrong = right.substring(0, at) + other + right.substring(at + word.length());

        assertThatThrownBy(() -> importParts(TEXTBOOK, wrong))
                .isInstanceOf(BundleException.class)
                .hasMessageContaining(message);
    }

    private void assertRefused(String manifest, String message) {
        assertThatThrownBy(() -> importParts(TEXTBOOK, manifest))
                .isInstanceOf(BundleException.class)
                .hasMessageContaining("manifest.yaml: ")
                .hasMessageContaining(message);
        assertThat(folder.resolve("bundle")).doesNotExist();
    }

    private PartsImporter.Result importParts(Path parts, String manifest) throws IOException {
        JsonNode json = JsonMapper.builder().build().readTree(manifest.replace('\'', '"'));
        return PartsImporter.importBundle(
                new Manifest(json, parts.resolve("manifest.yaml"), parts),
                folder.resolve("bundle"),
                bundle -> {});
    }
}
