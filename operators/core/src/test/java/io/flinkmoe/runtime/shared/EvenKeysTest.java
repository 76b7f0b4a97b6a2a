// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.junit.jupiter.api.Test;

class EvenKeysTest {

    @Test
    void spreadsAnyNumberOfThingsEvenlyOverAnyNumberOfSubtasks() {
        for (int count = 1; count <= 300; count++) {
            EvenKeys keys = new EvenKeys(count);
            for (int parallelism = 1; parallelism <= Math.min(count, 64); parallelism++) {
                int[] load = new int[parallelism];
                for (int i = 0; i < count; i++) {
                    load[subtaskByFlink(keys, i, parallelism)]++;
                }
                int least = Arrays.stream(load).min().orElseThrow();
                int most = Arrays.stream(load).max().orElseThrow();
                assertThat(most - least)
                        .as("%d things on %d subtasks: %s", count, parallelism, load)
                        .isLessThanOrEqualTo(1);
            }
        }
    }

    @Test
    void tellsTheSubtaskThatFlinkChooses() {
        for (int count : new int[] {1, 3, 8, 16, 128, 129, 300}) {
            EvenKeys keys = new EvenKeys(count);
            for (int parallelism = 1; parallelism <= Math.min(count, 9); parallelism++) {
                for (int i = 0; i < count; i++) {
                    assertThat(keys.subtaskOf(i, parallelism))
                            .isEqualTo(subtaskByFlink(keys, i, parallelism));
                }
            }
        }
    }

    @Test
    void findsTheThingOfEveryKey() {
        for (int count = 1; count <= 300; count++) {
            EvenKeys keys = new EvenKeys(count);
            Set<Integer> seen = new HashSet<>();
            for (int i = 0; i < count; i++) {
                assertThat(keys.indexOf(keys.keyOf(i))).as("thing %d of %d", i, count).isEqualTo(i);
                assertThat(seen.add(keys.keyOf(i))).as("key of %d of %d", i, count).isTrue();
            }
            assertThat(keys.count()).isEqualTo(count);
        }
    }

    @Test
    void wantsTheSmallestMultipleOfTheCountThatIsAtLeast128() {
        for (int count = 1; count <= 300; count++) {
            int max = new EvenKeys(count).maxParallelism();
            assertThat(max % count).as("%d of %d", max, count).isZero();
            assertThat(max).as("of %d", count).isGreaterThanOrEqualTo(128);
            assertThat(max - count).as("one less of %d", count).isLessThan(128);
        }
    }

    @Test
    void servesAsManyThingsAsFlinkHasKeyGroups() {
        EvenKeys keys = new EvenKeys(32_768);
        assertThat(keys.maxParallelism()).isEqualTo(32_768);
        for (int i = 0; i < 32_768; i += 111) {
            assertThat(keys.indexOf(keys.keyOf(i))).isEqualTo(i);
        }
    }

    @Test
    void givesTheSameKeysEveryTime() {
        // Keys are in state: another choice of keys would lose what was kept under the old ones.
        EvenKeys keys = new EvenKeys(4);
        assertThat(new int[] {keys.keyOf(0), keys.keyOf(1), keys.keyOf(2), keys.keyOf(3)})
                .containsExactly(
                        smallestKeyInGroup(0),
                        smallestKeyInGroup(32),
                        smallestKeyInGroup(64),
                        smallestKeyInGroup(96));
    }

    private static int smallestKeyInGroup(int group) {
        int key = 0;
        while (KeyGroupRangeAssignment.assignToKeyGroup(key, 128) != group) {
            key++;
        }
        return key;
    }

    private static int subtaskByFlink(EvenKeys keys, int i, int parallelism) {
        return KeyGroupRangeAssignment.assignKeyToParallelOperator(
                keys.keyOf(i), keys.maxParallelism(), parallelism);
    }
}
