// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.model.graph.OnnxGraph;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/** What turns the inputs of a shape's tokens into its vectors. */
@Internal
public enum ShapeEncoder {
    /** Nothing: the tokens are vectors of width d. */
    NONE,
    /** A linear layer over a vector of ten floats. */
    VECTOR,
    /** The same layer over ten columns of one value: seven floats and three integers. */
    COLUMNS;

    private static final int FEATURES = 10;
    private static final int FLOATS = 7;

    /** The inputs of a model with vectors of width d. */
    List<InputSpec> inputs(int d) {
        if (this != COLUMNS) {
            int width = this == NONE ? d : FEATURES;
            return List.of(new InputSpec("x", ColumnType.FLOAT, width));
        }
        List<InputSpec> inputs = new ArrayList<>();
        for (int i = 0; i < FEATURES; i++) {
            ColumnType type = i < FLOATS ? ColumnType.FLOAT : ColumnType.INT64;
            inputs.add(new InputSpec("c" + i, type, null));
        }
        return inputs;
    }

    /**
     * The encoder as an ONNX file.
     *
     * @param weight [d, 10]
     */
    byte[] graph(float[] weight, int d) {
        OnnxGraph graph = new OnnxGraph("encoder");
        if (this == VECTOR) {
            graph.input("x", FEATURES);
        } else {
            List<String> columns = new ArrayList<>();
            for (int i = 0; i < FEATURES; i++) {
                String column = "c" + i;
                if (i < FLOATS) {
                    graph.input(column, 1);
                    columns.add(column);
                } else {
                    graph.integerInput(column).toFloat(column + ".float", column);
                    columns.add(column + ".float");
                }
            }
            graph.node("Concat", "x", columns, Map.of("axis", 1));
        }
        return graph.output("hidden", d).linear("hidden", "x", weight, null, FEATURES, d).toBytes();
    }

    /** The number of weights of the encoder. */
    static int weights(int d) {
        return FEATURES * d;
    }

    /** The features of a token. */
    static int features() {
        return FEATURES;
    }
}
