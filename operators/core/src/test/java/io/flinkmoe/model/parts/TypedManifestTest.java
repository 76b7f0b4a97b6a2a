// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.OutputSpec;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Input columns and named outputs of a manifest, with a pipeline of scikit-learn as the parts. */
class TypedManifestTest {

    private static final Path PARTS = Path.of("src/test/resources/exports/sklearn_pipeline");
    private static final JsonMapper JSON =
            JsonMapper.builder().enable(JsonReadFeature.ALLOW_SINGLE_QUOTES).build();

    private static final String LAYERS =
            "[{'residual': 'none', 'experts': {'file': 'experts/*.onnx', 'output':"
                    + " 'probabilities'}, 'gates': [{'router': {'file': 'router.onnx', 'output':"
                    + " 'probabilities'}, 'scoring_func': 'softmax', 'num_experts_per_tok': 2,"
                    + " 'norm_topk_prob': true}]}]";

    @TempDir private Path folder;

    private BundleSpec imported(String inputs, String head) throws Exception {
        ObjectNode manifest = JSON.createObjectNode().put("encoder", "encoder.onnx");
        manifest.set("head", JSON.readTree(head));
        manifest.set("layers", JSON.readTree(LAYERS));
        if (inputs != null) {
            manifest.set("inputs", JSON.readTree(inputs));
        }
        Path file = PARTS.resolve("manifest.yaml");
        Path output = folder.resolve("bundle");
        PartsImporter.importBundle(new Manifest(manifest, file, PARTS), output, bundle -> {});
        return Bundle.read(output).spec();
    }

    @Test
    void encoderAndHeadSayWhatTheManifestLeavesOut() throws Exception {
        BundleSpec spec = imported(null, "'head.onnx'");

        assertThat(spec.inputs())
                .extracting(InputSpec::name, InputSpec::type, InputSpec::width)
                .containsExactlyInAnyOrder(
                        tuple("carrier", ColumnType.STRING, null),
                        tuple("origin", ColumnType.STRING, null),
                        tuple("distance", ColumnType.FLOAT, null),
                        tuple("delay", ColumnType.FLOAT, null),
                        tuple("seats", ColumnType.INT64, null));
        assertThat(spec.outputs())
                .containsExactlyInAnyOrder(
                        new OutputSpec("probabilities", ColumnType.FLOAT, 3, "probabilities"),
                        new OutputSpec("label", ColumnType.INT64, null, "label"));
    }

    @Test
    void columnsAndOutputsMayHaveNamesOfTheirOwn() throws Exception {
        BundleSpec spec =
                imported(
                        "{'airline': {'tensor': 'carrier', 'missing': '??'}, 'origin': {},"
                                + " 'distance': {'type': 'float', 'missing': 0}, 'delay':"
                                + " {'missing': 'nan'}, 'seats': {'type': 'int64', 'missing':"
                                + " 100}}",
                        "{'file': 'head.onnx', 'outputs': {'kind': 'label'}}");

        assertThat(spec.inputs())
                .containsExactly(
                        new InputSpec("airline", ColumnType.STRING, null, "carrier", "??"),
                        new InputSpec("origin", ColumnType.STRING, null),
                        new InputSpec("distance", ColumnType.FLOAT, null, null, "0"),
                        new InputSpec("delay", ColumnType.FLOAT, null, null, "nan"),
                        new InputSpec("seats", ColumnType.INT64, null, null, "100"));
        assertThat(spec.outputs())
                .isEqualTo(List.of(new OutputSpec("kind", ColumnType.INT64, null, "label")));
    }

    /** The head has a second output, so the tensor must be named to ONNX Runtime. */
    @Test
    void oneOfSeveralOutputsMayKeepItsName() throws Exception {
        BundleSpec spec =
                imported(
                        null,
                        "{'file': 'head.onnx', 'outputs': {'probabilities': 'probabilities'}}");

        assertThat(spec.outputs())
                .containsExactly(
                        new OutputSpec("probabilities", ColumnType.FLOAT, 3, "probabilities"));
        assertThat(spec.vectorHead().output()).isEqualTo("probabilities");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{} | 'head.onnx' | inputs is {}; expected an object from names to {type, width, tensor, missing}",
                "{'carrier': 'string'} | 'head.onnx' | inputs.carrier is \"string\"; expected an object with the fields [type, width, tensor, missing]",
                "{'carrier': {'kind': 1}} | 'head.onnx' | inputs.carrier.kind is not a known field; known fields are [missing, tensor, type, width]",
                "{'carrier': {'type': 'text'}} | 'head.onnx' | inputs.carrier.type is \"text\"; expected one of [float, double, int32, int64, bool, string]",
                "{'carrier': {'type': 'float'}} | 'head.onnx' | inputs.carrier.type is \"float\"; expected string, the type of the input carrier string",
                "{'carrier': {'width': 2}} | 'head.onnx' | inputs.carrier.width is 2; expected 1, the width of the input carrier string",
                "{'airline': {}} | 'head.onnx' | inputs.airline: the encoder src/test/resources/exports/sklearn_pipeline/encoder.onnx has no input 'airline'; it has [carrier string",
                "{'carrier': {}, 'c2': {'tensor': 'carrier'}, 'origin': {}, 'distance': {}, 'delay': {}, 'seats': {}} | 'head.onnx' | inputs has two columns for the tensor carrier, the second of which is c2",
                "{'carrier': {}} | 'head.onnx' | inputs has no column for the input",
                "{'segment': {'tensor': 'none'}} | 'head.onnx' | inputs.segment.type is missing; expected one of [float",
                "{'seats': {'missing': '?'}} | 'head.onnx' | inputs.seats: missing of seats is ?; allowed: reject, or an integer of the type",
                "{'seats': {'missing': 'nan'}} | 'head.onnx' | inputs.seats: missing of seats is nan; allowed: reject, or an integer of the type",
                "{'carrier': {'missing': 'nan'}} | 'head.onnx' | inputs.carrier: missing of carrier is nan; allowed: reject, or a text other than nan",
                " | {'file': 'head.onnx', 'output': 'label', 'outputs': {'l': 'label'}} | head.output is \"label\"; expected nothing, as there are outputs",
                " | {'file': 'head.onnx', 'outputs': {}} | head.outputs is {}; expected an object from names to tensors of the head",
                " | {'file': 'head.onnx', 'outputs': {'p': 'probability'}} | there is no output 'probability' among them",
                " | {'file': 'head.onnx', 'output': 'scores'} | there is no output 'scores' among them",
                " | {'file': 'head.onnx', 'colour': 1} | head.colour is not a known field"
            })
    void aWrongColumnIsRefused(String inputs, String head, String message) {
        assertThatThrownBy(() -> imported(inputs, head))
                .isInstanceOf(BundleException.class)
                .hasMessageContaining(message);
    }
}
