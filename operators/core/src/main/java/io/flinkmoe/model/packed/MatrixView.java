// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.packed;

import org.apache.flink.annotation.Internal;

/**
 * A matrix inside stored rows.
 *
 * @param firstRow the first of its rows
 * @param rowStep 1 for neighbouring rows, 2 for every second one
 * @param rows the number of its rows
 * @param firstColumn the first of its columns
 * @param columnStep 1 for neighbouring columns, 2 for every second one
 * @param columns the number of its columns
 * @param transposed whether it is read column by column: the result is [columns, rows]
 */
@Internal
public record MatrixView(
        long firstRow,
        int rowStep,
        int rows,
        int firstColumn,
        int columnStep,
        int columns,
        boolean transposed) {

    /** Neighbouring rows, whole. */
    public static MatrixView of(long firstRow, int rows, int columns) {
        return new MatrixView(firstRow, 1, rows, 0, 1, columns, false);
    }

    /** The same, read column by column. */
    public MatrixView transpose() {
        return new MatrixView(
                firstRow, rowStep, rows, firstColumn, columnStep, columns, !transposed);
    }

    /** The number of its values. */
    public long count() {
        return (long) rows * columns;
    }

    /** The stored columns from the first one that it needs to the last one. */
    int span() {
        return (columns - 1) * columnStep + 1;
    }
}
