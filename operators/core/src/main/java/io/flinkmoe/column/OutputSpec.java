// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import java.io.Serializable;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * An output of a model.
 *
 * @param name the name of the output
 * @param type the type of its values
 * @param width the number of values in a row; null for one value
 * @param tensor the tensor of the head that computes it; null for the one of the output's name
 */
@PublicEvolving
public record OutputSpec(String name, ColumnType type, Integer width, String tensor)
        implements Serializable {

    private static final long serialVersionUID = 1L;

    /** The name of the only output of a model whose outputs have no names. */
    public static final String DEFAULT_NAME = "out";

    public OutputSpec {
        new Column(name, type, width);
        if (tensor != null && tensor.isEmpty()) {
            throw new IllegalArgumentException(
                    "tensor of %s is empty; give the name of the head's output".formatted(name));
        }
    }

    /** The outputs of a model that answers with a vector. */
    public static List<OutputSpec> vector(int width) {
        return List.of(new OutputSpec(DEFAULT_NAME, ColumnType.FLOAT, width, null));
    }

    /** The column. */
    public Column column() {
        return new Column(name, type, width);
    }

    /** The tensor that computes the output. */
    public String tensorName() {
        return tensor == null ? name : tensor;
    }
}
