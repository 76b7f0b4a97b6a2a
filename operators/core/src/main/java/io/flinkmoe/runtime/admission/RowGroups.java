// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToLongFunction;
import org.apache.flink.annotation.Internal;

/** Groups the rows of a block by a key. */
@Internal
final class RowGroups {

    private RowGroups() {}

    /**
     * Returns one group per key, in order of the first row of each. Rows keep their order.
     *
     * @param rows rows of a block; may be empty
     * @param key the key of a row
     */
    static List<int[]> of(int[] rows, IntToLongFunction key) {
        List<int[]> groups = new ArrayList<>();
        for (int[] left = rows; left.length > 0; ) {
            long first = key.applyAsLong(left[0]);
            int[] group = new int[left.length];
            int[] others = new int[left.length];
            int count = 0;
            for (int i = 0; i < left.length; i++) {
                if (key.applyAsLong(left[i]) == first) {
                    group[count++] = left[i];
                } else {
                    others[i - count] = left[i];
                }
            }
            groups.add(Arrays.copyOf(group, count));
            left = Arrays.copyOf(others, left.length - count);
        }
        return groups;
    }
}
