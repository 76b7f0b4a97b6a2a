// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.runtime.block.DispatchBlock;
import org.apache.flink.annotation.Internal;

/**
 * The decisions on the rows of one block. Rows that are in none of the three lists are held until
 * their window closes.
 *
 * @param admitted rows to execute, ascending
 * @param overflowed rows that exceed the capacity, ascending
 * @param late rows whose window is closed, ascending
 */
@Internal
record RowDecisions(DispatchBlock block, int[] admitted, int[] overflowed, int[] late) {

    /** The number of rows that wait for the close of their window. */
    int held() {
        return block.rows() - admitted.length - overflowed.length - late.length;
    }
}
