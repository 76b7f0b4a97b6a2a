// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.OutputSpec;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/** Checks that inputs, outputs and layers fit together. A message begins with the field's name. */
@Internal
record ColumnCheck(List<InputSpec> inputs, List<OutputSpec> outputs, List<LayerSpec> layers) {

    void check(ModelFile encoder, ModelFile head) {
        names("inputs", inputs.stream().map(InputSpec::column).toList());
        names("outputs", outputs.stream().map(OutputSpec::column).toList());
        if (encoder == null) {
            checkWithoutEncoder();
        } else {
            checkTensors();
        }
        if (encoder != null && inputs.stream().noneMatch(InputSpec::isRead)) {
            throw new IllegalArgumentException(
                    "inputs has no column that the encoder reads; add one, or remove encoder");
        }
        if (head == null) {
            checkWithoutHead();
        }
        for (int layer = 0; layer < layers.size(); layer++) {
            checkRules(layer);
            checkKeys(layer);
            checkTokenRouters(layer);
        }
    }

    private void checkTensors() {
        Set<String> tensors = new HashSet<>();
        for (InputSpec input : inputs) {
            if (input.isRead() && !tensors.add(input.tensorName())) {
                throw new IllegalArgumentException(
                        "inputs has two columns for the tensor %s, the second of which is %s; each column needs a tensor of its own, or none"
                                .formatted(input.tensorName(), input.name()));
            }
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

    /** A key that no value of the column has would never match. */
    private void checkKeys(int layer) {
        ColumnLayout layout = new InputLayout(inputs, List.of()).columns();
        for (GateSpec gate : layers.get(layer).gates()) {
            RuleSpec rule = gate.rule();
            if (rule == null || rule.column() == null || rule.table() == null) {
                continue;
            }
            ColumnType type = layout.columns().get(layout.indexOf(rule.column())).type();
            for (String key : rule.table().keySet()) {
                if (!isValue(type, key)) {
                    throw new IllegalArgumentException(
                            "layers[%d] has a rule with the key '%s', which no value of the column %s %s is written as; allowed: %s"
                                    .formatted(
                                            layer,
                                            key,
                                            rule.column(),
                                            type.name().toLowerCase(Locale.ROOT),
                                            type == ColumnType.BOOL
                                                    ? "true, false"
                                                    : "integers such as 7 and -7"));
                }
            }
        }
    }

    private static boolean isValue(ColumnType type, String key) {
        try {
            return switch (type) {
                case BOOL -> key.equals("true") || key.equals("false");
                case INT32 -> String.valueOf(Integer.parseInt(key)).equals(key);
                case INT64 -> String.valueOf(Long.parseLong(key)).equals(key);
                default -> true;
            };
        } catch (NumberFormatException e) {
            return false;
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
