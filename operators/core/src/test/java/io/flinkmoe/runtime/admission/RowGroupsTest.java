// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class RowGroupsTest {

    @Test
    void takesRowsApartByTheirKeyInOrderOfTheFirst() {
        long[] keys = {-1, 7, 60_000, 7, -1, 7};
        assertThat(RowGroups.of(new int[] {1, 2, 3, 4, 5}, row -> keys[row]))
                .containsExactly(new int[] {1, 3, 5}, new int[] {2}, new int[] {4});
    }

    @Test
    void leavesRowsOfOneKeyTogether() {
        assertThat(RowGroups.of(new int[] {0, 2, 9}, row -> Long.MAX_VALUE))
                .containsExactly(new int[] {0, 2, 9});
    }

    @Test
    void givesNoGroupOfNoRows() {
        assertThat(RowGroups.of(new int[0], row -> row)).isEmpty();
    }
}
