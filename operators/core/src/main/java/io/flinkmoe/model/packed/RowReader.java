// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.packed;

import java.io.IOException;
import org.apache.flink.annotation.Internal;

/**
 * Reads parts of the rows of a stored matrix as floats. A tensor [N, rows, columns] counts as N ·
 * rows rows. Not for several threads.
 */
@Internal
public interface RowReader {

    /** Makes a reader when the matrix is read. */
    @FunctionalInterface
    interface Source {
        RowReader open() throws IOException;
    }

    /**
     * Reads neighbouring values of a row.
     *
     * @param from the first column
     * @param into receives them from index {@code at} on
     */
    void read(long row, int from, int count, float[] into, int at) throws IOException;
}
