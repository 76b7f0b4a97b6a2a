// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import java.io.Serializable;
import org.apache.flink.annotation.PublicEvolving;

/**
 * An input column of a model.
 *
 * @param name the name of the column
 * @param type the type of its values
 * @param width the number of values in a row; null for one value
 * @param tensor the tensor of the encoder that reads the column; null for the one of the column's
 *     name; {@link #NO_TENSOR} if only a rule reads it
 * @param missing what stands for a missing value: {@code reject} (the record is rejected), {@code
 *     nan}, or the text of a value. Null means reject. An input whose missing values are NaN also
 *     accepts NaN itself
 */
@PublicEvolving
public record InputSpec(String name, ColumnType type, Integer width, String tensor, String missing)
        implements Serializable {

    private static final long serialVersionUID = 1L;

    /** The {@code tensor} of a column that the encoder does not read. */
    public static final String NO_TENSOR = "none";

    /** The {@code missing} of a column whose records are rejected if it is missing. */
    public static final String REJECT = "reject";

    /** The {@code missing} of a float or double column whose missing values are NaN. */
    public static final String NAN = "nan";

    public InputSpec {
        new Column(name, type, width);
        if (tensor != null && tensor.isEmpty()) {
            throw new IllegalArgumentException(
                    "tensor of %s is empty; give the name of the encoder's input, or none"
                            .formatted(name));
        }
        MissingValue.of(name, type, missing);
    }

    /** An input that is rejected if it is missing, for the tensor of its name. */
    public InputSpec(String name, ColumnType type, Integer width) {
        this(name, type, width, null, null);
    }

    /** The column. */
    public Column column() {
        return new Column(name, type, width);
    }

    /** Whether the encoder reads the column. */
    public boolean isRead() {
        return !NO_TENSOR.equals(tensor);
    }

    /** The tensor that reads the column. */
    public String tensorName() {
        return tensor == null ? name : tensor;
    }

    /** Whether a record is rejected if the value is missing. */
    public boolean isRequired() {
        return missingValue().isRejected();
    }

    MissingValue missingValue() {
        return MissingValue.of(name, type, missing);
    }
}
