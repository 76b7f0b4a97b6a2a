// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import java.io.Serializable;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A named column.
 *
 * @param name the name, unique in its record
 * @param type the type of its values
 * @param width the number of values in a row; null if a row has one value instead of a vector
 */
@PublicEvolving
public record Column(String name, ColumnType type, Integer width) implements Serializable {

    private static final long serialVersionUID = 1L;

    /** The most values of a vector. */
    static final int MAX_WIDTH = 1 << 20;

    public Column {
        if (name == null || name.isBlank()) {
            throw new IllegalArgumentException(
                    "name is %s; set a text that is not blank".formatted(name));
        }
        if (type == null) {
            throw new IllegalArgumentException(
                    "type of %s is missing; allowed: float, double, int32, int64, bool, string"
                            .formatted(name));
        }
        if (width != null && (width < 1 || width > MAX_WIDTH)) {
            throw new IllegalArgumentException(
                    "width of %s is %d; allowed: 1 to %d, or none for one value in a row"
                            .formatted(name, width, MAX_WIDTH));
        }
    }

    /** The number of values in a row. */
    public int count() {
        return width == null ? 1 : width;
    }

    /** The 4-byte words of a packed row. */
    int words() {
        return count() * type.words();
    }

    /** The type in words, such as {@code float[12]}. */
    public String describe() {
        return width == null ? type.describe() : "%s[%d]".formatted(type.describe(), width);
    }
}
