// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.exports;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.parts.Manifest;
import io.flinkmoe.model.parts.PartsImporter;
import io.flinkmoe.onnx.check.ModelCheck;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Exports that are bad or unusual in one way each: they work, or they are refused at import. */
class OddExportsTest {

    private static final Path ODD = Path.of("src/test/resources/exports/odd");
    private static final int ROWS = 16;

    @TempDir private Path folder;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "rank1_output | {'file': 'rank1_output.onnx'} | rank1_output",
                "float64_output | {'file': 'float64_output.onnx'} | float64_output",
                "unknown_width | {'file': 'unknown_width.onnx'} | unknown_width",
                "wrong_label_shape | {'file': 'wrong_label_shape.onnx', 'output': 'probabilities'} | wrong_label_shape",
                "two_outputs | {'file': 'two_outputs.onnx', 'output': 'linear_1'} | two_outputs.first",
                "two_outputs | {'file': 'two_outputs.onnx', 'output': 'relu'} | two_outputs.second"
            })
    void works(String name, String expert, String answer) throws Exception {
        Bundle bundle = importExpert(expert);

        try (ReferenceModel model = ReferenceModel.open(bundle);
                SafetensorsFile expected =
                        SafetensorsFile.open(ODD.resolve("expected.safetensors"))) {
            float[] right = expected.floats(answer);
            float[] found = model.forward(expected.floats("x"), ROWS).out();
            assertThat(found).hasSameSizeAs(right);
            for (int i = 0; i < right.length; i++) {
                assertThat(Math.abs(found[i] - right[i])).isLessThan(1e-5f);
            }
        }
        assertThat(Bundle.read(bundle.directory()).spec()).isEqualTo(bundle.spec());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "fixed_batch | input x is float [1, 8], with a fixed batch size of 1; expected a free one | dynamic_axes",
                "zipmap | output_probability sequence(map(int64, float)) | 'zipmap': False",
                "external_missing | external_missing.onnx.data, which is not there | copy it into the folder",
                "two_outputs | linear_1 float [batch, 8], relu float [batch, 12] | output: NAME",
                "wrong_label_shape | label int64 [1], probabilities float [?, 3] | output: NAME",
                "wrong_width | its output 'variable' is [2, 3] for 2 rows | expected [2, 1]",
                "wrong_rows | its output 'variable' is [6, 1] for 2 rows | it must have a row for each",
                "batch_dependent | its output 'mul' depends on the other rows of a call | model.eval()",
                "opset_too_new | its opset is 99, and ONNX Runtime | export it with opset_version="
            })
    void isRefused(String name, String found, String expected) {
        assertThatThrownBy(() -> importExpert("{'file': '%s.onnx'}".formatted(name)))
                .isInstanceOf(BundleException.class)
                .hasMessageStartingWith(ODD.resolve(name + ".onnx") + ": ")
                .hasMessageContaining(found)
                .hasMessageContaining(expected);
        assertThat(folder.resolve("bundle")).doesNotExist();
    }

    @Test
    void aNameThatIsNotThereIsRefused() {
        assertThatThrownBy(() -> importExpert("{'file': 'two_outputs.onnx', 'output': 'y'}"))
                .hasMessageContaining(
                        "it has 2 outputs, [linear_1 float [batch, 8], relu float [batch, 12]]; there is no output 'y' among them");
    }

    @Test
    void aSequenceOfMapsIsRefusedByName() {
        assertThatThrownBy(
                        () ->
                                importExpert(
                                        "{'file': 'zipmap.onnx', 'output': 'output_probability'}"))
                .hasMessageContaining(
                        "output output_probability is sequence(map(int64, float)); expected float or double [batch, width]")
                .hasMessageContaining("'zipmap': False");
    }

    @Test
    void anUnknownWidthIsAskedFor() {
        assertThatThrownBy(() -> importExpert("{'file': 'unknown_width.onnx'}", ""))
                .hasMessageContaining(
                        "no part says the width of the input of layers[0]; set layers[0].input_size");
    }

    private Bundle importExpert(String expert) throws IOException {
        return importExpert(expert, "'input_size': 8,");
    }

    private Bundle importExpert(String expert, String size) throws IOException {
        String manifest =
                ("{'layers': [{%s 'residual': 'none', 'experts': [%s], 'gates': [{'rule':"
                                + " {'stream': true, 'table': {}, 'fallback': '0'}}]}]}")
                        .formatted(size, expert)
                        .replace('\'', '"');
        return PartsImporter.importBundle(
                        new Manifest(
                                new JsonMapper().readTree(manifest),
                                ODD.resolve("manifest.yaml"),
                                ODD),
                        folder.resolve("bundle"),
                        bundle -> ModelCheck.openAll(bundle, false))
                .bundle();
    }
}
