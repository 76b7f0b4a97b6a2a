package io.flinkmoe.runtime.shared;

import java.io.Serializable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;

/**
 * Keys for n things (experts, lanes) that spread evenly over any number of subtasks up to n. Flink
 * hashes a key to one of M key groups and gives each subtask a range of them; few keys hash
 * unevenly (8 on 8 subtasks leave 4 idle). So with M = n·⌈128/n⌉, thing i gets a key that is found
 * by trial to hash to key group i·(M/n): the load of two subtasks differs by at most one thing, and
 * rescaling keeps it so.
 */
@Internal
public final class EvenKeys implements Serializable {

    private static final long serialVersionUID = 1L;
    private static final int KEY_GROUPS = 128;

    private final int maxParallelism;
    private final int[] keys;

    /** Keys for {@code count} things, 1 to 32,768. */
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

    /** The number of things. */
    public int count() {
        return keys.length;
    }

    /** M, which the operator keyed so must set. */
    public int maxParallelism() {
        return maxParallelism;
    }

    /** The key of thing {@code i}. */
    public int keyOf(int i) {
        return keys[i];
    }

    /** The thing that a key stands for. */
    public int indexOf(int key) {
        int group = KeyGroupRangeAssignment.assignToKeyGroup(key, maxParallelism);
        return group / (maxParallelism / keys.length);
    }

    /** Which of {@code parallelism} subtasks owns thing {@code i}. */
    public int subtaskOf(int i, int parallelism) {
        return KeyGroupRangeAssignment.assignKeyToParallelOperator(
                keys[i], maxParallelism, parallelism);
    }
}
