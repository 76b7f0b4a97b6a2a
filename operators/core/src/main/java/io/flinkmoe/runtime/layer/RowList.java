// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/** Rows of a block, in the order in which they are added. */
@Internal
public final class RowList {

    private final int[] rows;
    private int size;

    /**
     * @param maxRows the largest number of rows that will be added
     */
    public RowList(int maxRows) {
        this.rows = new int[maxRows];
    }

    public void add(int row) {
        rows[size++] = row;
    }

    /** Returns the rows from 0 to {@code count} - 1. */
    public static int[] all(int count) {
        int[] rows = new int[count];
        for (int row = 0; row < count; row++) {
            rows[row] = row;
        }
        return rows;
    }

    public int[] toArray() {
        return Arrays.copyOf(rows, size);
    }
}
