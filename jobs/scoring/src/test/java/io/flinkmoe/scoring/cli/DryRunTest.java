// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class DryRunTest {

    @Test
    void runsOfNumbersAreShort() {
        assertThat(DryRun.ranges(List.of())).isEmpty();
        assertThat(DryRun.ranges(List.of(0, 1, 2, 5, 8, 9))).isEqualTo("0-2 5 8 9");
    }
}
