// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import java.io.Serializable;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;

/**
 * Keys for n experts or n lanes that spread evenly over any number of subtasks up to n. Flink
 * hashes a key to one of M key groups and assigns each subtask a range of them. Few keys hash
 * unevenly: 8 keys on 8 subtasks leave 4 subtasks idle. Therefore M = n·⌈128/n⌉, and expert or lane
 * i gets a key that hashes to key group i·(M/n), found by trial. The load of two subtasks differs
 * by at most one expert or lane, also after rescaling.
 */
@Internal
public final class EvenKeys implements Serializable {

    private static final long serialVersionUID = 1L;
    private static final int KEY_GROUPS = 128;

    private final int maxParallelism;
    private final int[] keys;

    /** Finds keys for {@code count} experts or lanes, 1 to 32,768. */
    public EvenKeys(int count) {
        this.maxParallelism = count * ((KEY_GROUPS + count - 1) / count);
        this.keys = new int[count];
        int[] keyOfGroup = new int[maxParallelism];
        boolean[] found = new boolean[maxParallelism];
        int stride = maxParallelism / count;
        int missing = count;
        for (int key = 0; missing > 0; key++) {
            int group = KeyGroupRangeAssignment.assignToKeyGroup(key, maxParallelism);
            if (group % stride == 0 && !found[group]) {
                found[group] = true;
                keyOfGroup[group] = key;
                missing--;
            }
        }
        for (int i = 0; i < count; i++) {
            keys[i] = keyOfGroup[i * stride];
        }
    }

    /** The number of experts or lanes. */
    public int count() {
        return keys.length;
    }

    /** M, the maximum parallelism that an operator with these keys must set. */
    public int maxParallelism() {
        return maxParallelism;
    }

    /** The key of expert or lane {@code i}. */
    public int keyOf(int i) {
        return keys[i];
    }

    /** The expert or lane of a key. */
    public int indexOf(int key) {
        int group = KeyGroupRangeAssignment.assignToKeyGroup(key, maxParallelism);
        return group / (maxParallelism / keys.length);
    }

    /**
     * The subtask that owns expert or lane {@code i}.
     *
     * @param parallelism the number of subtasks
     */
    public int subtaskOf(int i, int parallelism) {
        return KeyGroupRangeAssignment.assignKeyToParallelOperator(
                keys[i], maxParallelism, parallelism);
    }

    /** The experts or lanes that a subtask owns, ascending. */
    public int[] owned(TaskInfo task) {
        int[] owned = new int[keys.length];
        int count = 0;
        for (int i = 0; i < keys.length; i++) {
            if (subtaskOf(i, task.getNumberOfParallelSubtasks()) == task.getIndexOfThisSubtask()) {
                owned[count++] = i;
            }
        }
        return Arrays.copyOf(owned, count);
    }
}
