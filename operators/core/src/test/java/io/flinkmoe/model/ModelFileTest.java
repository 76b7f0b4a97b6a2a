// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.model.graph.OnnxGraph;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A model of model.json: a path, or an object that names tensors. */
class ModelFileTest {

    @TempDir private Path folder;

    private Bundle bundle;

    @BeforeEach
    void write() throws IOException {
        bundle = write("bundle", "negative");
    }

    private Bundle write(String name, String output) throws IOException {
        try (BundleWriter writer = new BundleWriter(folder.resolve(name))) {
            writer.add(
                    "two.onnx",
                    new OnnxGraph("two")
                            .input("input.1", 2)
                            .output("same", 2)
                            .output("negative", 2)
                            .output("17", 2)
                            .node("Identity", "same", List.of("input.1"))
                            .node("Neg", "negative", List.of("input.1"))
                            .node("Neg", "17", List.of("input.1")));
            ModelFile model = new ModelFile("two.onnx", "input.1", output);
            LayerSpec layer =
                    new LayerSpec(
                            2,
                            2,
                            null,
                            null,
                            ResidualKind.NONE,
                            List.of(new ExpertSpec(null, model, null, 2)),
                            List.of(),
                            List.of(GateSpec.of("rule", RuleSpec.ofStream(Map.of(), "0"))),
                            null);
            return writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    BundleSpec.FORMAT_VERSION,
                                    "named",
                                    version,
                                    2,
                                    2,
                                    new ModelFile("two.onnx", null, "17"),
                                    null,
                                    List.of(layer),
                                    checksums));
        }
    }

    @Test
    void isWrittenAndReadWithItsTensors() throws IOException {
        assertThat(bundle.file("model.json"))
                .content()
                .containsIgnoringWhitespaces(
                        """
                        "encoder": {"file": "two.onnx", "output": "17"}""",
                        """
                        "file": {"file": "two.onnx", "input": "input.1", "output": "negative"}""");
        assertThat(Bundle.read(bundle.directory()).spec()).isEqualTo(bundle.spec());
    }

    @Test
    void anotherTensorMakesAnotherVersion() throws IOException {
        assertThat(write("other", "same").spec().version()).isNotEqualTo(bundle.spec().version());
        assertThat(write("equal", "negative").spec().version()).isEqualTo(bundle.spec().version());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"17\" | \"18\" | two.onnx: it has 3 outputs, [same float [batch, 2], negative float [batch, 2], 17 float [batch, 2]]; there is no output '18' among them",
                "\"17\" | 17 | model.json: encoder is {\"file\":\"two.onnx\",\"output\":17}; expected a path, or an object with file, input and output",
                "\"17\" | \"\" | model.json: encoder: output is missing or blank; set it",
                "\"output\" : \"17\" | \"outputs\" : \"17\" | model.json: encoder.outputs is not a known field; known fields are [file, input, output]",
                "\"output\" : \"17\" | \"input\" : \"input.1\" | two.onnx: it has 3 outputs",
                "\"input\" : \"input.1\" | \"input\" : \"x\" | there is no input 'x' among them"
            })
    void aWrongTensorIsRefused(String found, String other, String message) throws IOException {
        Path json = bundle.file("model.json");
        String right = Files.readString(json);
        Files.writeString(json, right.replace(found, other));
        assertThat(json).content().isNotEqualTo(right);

        assertThatThrownBy(() -> Bundle.read(bundle.directory()))
                .isInstanceOf(BundleException.class)
                .hasMessageContaining(message);
    }

    @Test
    void namesAreNotBlank() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ModelFile("a.onnx", " ", null))
                .withMessage("input is missing or blank; set it");
        assertThat(ModelFile.of("a.onnx")).hasToString("a.onnx");
    }
}
