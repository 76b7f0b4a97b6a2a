// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/** Rows of a block, in the order in which they are added. */
@Internal
final class RowList {

    private final int[] rows;
    private int size;

    /**
     * @param maxRows the largest number of rows that will be added
     */
    RowList(int maxRows) {
        this.rows = new int[maxRows];
    }

    void add(int row) {
        rows[size++] = row;
    }

    int[] toArray() {
        return Arrays.copyOf(rows, size);
    }
}
