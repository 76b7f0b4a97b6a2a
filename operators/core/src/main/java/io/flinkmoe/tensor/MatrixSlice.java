// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import org.apache.flink.annotation.PublicEvolving;

/**
 * A matrix inside a tensor: {@code rows} runs of {@code columns} neighbouring elements.
 *
 * @param first the number of its first element within the tensor, in row-major order
 * @param rows the number of stored runs
 * @param columns the elements of each run
 * @param stride the elements from the beginning of one run to the beginning of the next
 * @param transposed whether the matrix is read column by column: the result is [columns, rows]
 */
@PublicEvolving
public record MatrixSlice(long first, int rows, int columns, long stride, boolean transposed) {

    public MatrixSlice {
        if (first < 0 || rows < 1 || columns < 1 || stride < columns) {
            throw new IllegalArgumentException(
                    "first %d, rows %d, columns %d, stride %d; expected 0 or more, 1 or more, 1 or more, columns or more"
                            .formatted(first, rows, columns, stride));
        }
    }

    /** Neighbouring rows of a matrix of the same width. */
    public static MatrixSlice of(long first, int rows, int columns) {
        return new MatrixSlice(first, rows, columns, columns, false);
    }

    /** The same elements, read column by column. */
    public MatrixSlice transpose() {
        return new MatrixSlice(first, rows, columns, stride, !transposed);
    }

    /** The number of its elements. */
    public long elements() {
        return (long) rows * columns;
    }

    /** The number of the element behind its last one. */
    long end() {
        return Math.addExact(Math.multiplyExact(rows - 1L, stride), first) + columns;
    }
}
