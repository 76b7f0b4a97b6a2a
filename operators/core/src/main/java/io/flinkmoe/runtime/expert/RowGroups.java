package io.flinkmoe.runtime.expert;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToLongFunction;
import org.apache.flink.annotation.Internal;

/** The rows of a block that are to go the same way. */
@Internal
final class RowGroups {

    private RowGroups() {}

    /**
     * Takes rows apart by a key: one group per key, in order of its first row, and in each the rows
     * in the order they had.
     *
     * @param rows rows of a block; none: no group
     * @param key of a row
     */
    static List<int[]> of(int[] rows, IntToLongFunction key) {
        List<int[]> groups = new ArrayList<>();
        for (int[] left = rows; left.length > 0; ) {
            long first = key.applyAsLong(left[0]);
            int[] alike = new int[left.length];
            int[] others = new int[left.length];
            int count = 0;
            for (int i = 0; i < left.length; i++) {
                if (key.applyAsLong(left[i]) == first) {
                    alike[count++] = left[i];
                } else {
                    others[i - count] = left[i];
                }
            }
            groups.add(Arrays.copyOf(alike, count));
            left = Arrays.copyOf(others, left.length - count);
        }
        return groups;
    }
}
