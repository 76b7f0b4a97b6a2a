// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.OutputSpec;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** Checks that inputs, outputs and layers fit together. A message begins with the field's name. */
@Internal
record ColumnCheck(List<InputSpec> inputs, List<OutputSpec> outputs, List<LayerSpec> layers) {

    void check(ModelFile encoder, ModelFile head) {
        names("inputs", inputs.stream().map(InputSpec::column).toList());
        names("outputs", outputs.stream().map(OutputSpec::column).toList());
        if (encoder == null) {
            checkWithoutEncoder();
        } else if (inputs.stream().noneMatch(InputSpec::isRead)) {
            throw new IllegalArgumentException(
                    "inputs has no column that the encoder reads; add one, or remove encoder");
        }
        if (head == null) {
            checkWithoutHead();
        }
        for (int layer = 0; layer < layers.size(); layer++) {
            checkRules(layer);
            checkTokenRouters(layer);
        }
    }

    private static void names(String field, List<Column> columns) {
        try {
            new ColumnLayout(columns);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(field + ": " + e.getMessage(), e);
        }
    }

    private void checkWithoutEncoder() {
        int width = layers.get(0).inputSize();
        List<InputSpec> read = inputs.stream().filter(InputSpec::isRead).toList();
        String found =
                read.stream().map(i -> i.name() + " " + i.column().describe()).toList().toString();
        if (read.size() != 1 || read.get(0).type() != ColumnType.FLOAT) {
            throw new IllegalArgumentException(
                    "inputs that the first layer reads are %s; without encoder there must be one, of type float"
                            .formatted(found));
        }
        if (read.get(0).column().count() != width) {
            throw new IllegalArgumentException(
                    "inputs are %s, but layers[0].input_size is %d; without encoder they must be equal"
                            .formatted(found, width));
        }
    }

    private void checkWithoutHead() {
        int width = layers.get(layers.size() - 1).outputSize();
        int sum = 0;
        for (OutputSpec output : outputs) {
            if (output.type() != ColumnType.FLOAT) {
                throw new IllegalArgumentException(
                        "outputs has %s %s; without head all outputs are of type float"
                                .formatted(output.name(), output.column().describe()));
            }
            sum += output.column().count();
        }
        if (sum != width) {
            throw new IllegalArgumentException(
                    "outputs have %d values, but layers[%d].output_size is %d; without head they must be equal"
                            .formatted(sum, layers.size() - 1, width));
        }
    }

    private void checkRules(int layer) {
        InputLayout layout = new InputLayout(inputs, layers.get(layer).ruleColumns());
        for (String column : layers.get(layer).ruleColumns()) {
            int index = layout.columns().indexOf(column);
            boolean isReal = index >= 0 && layout.columns().columns().get(index).type().isReal();
            if (layout.keyOf(column) < 0 || isReal) {
                throw new IllegalArgumentException(
                        "layers[%d] has a rule with the column %s, and the inputs are %s; allowed: the name of an input of type string, bool, int32 or int64 with one value in a row"
                                .formatted(layer, column, layout.columns().describe()));
            }
        }
    }

    private void checkTokenRouters(int layer) {
        boolean isVector = new InputLayout(inputs, List.of()).isVector();
        if (!isVector && layers.get(layer).gates().stream().anyMatch(GateSpec::readsToken)) {
            throw new IllegalArgumentException(
                    "router_input of layers[%d] is token; it requires one input, a float vector"
                            .formatted(layer));
        }
    }
}
