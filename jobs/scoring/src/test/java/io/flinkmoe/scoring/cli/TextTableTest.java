// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class TextTableTest {

    @Test
    void columnsAreAsWideAsTheirWidestCell() {
        TextTable table =
                new TextTable("expert", ">tokens", "").row(0, 12, "##").row(10, 12345, "");

        assertThat(table.toString().lines())
                .containsExactly("  expert  tokens", "  0           12  ##", "  10       12345");
    }

    @Test
    void rowOfAnotherWidthIsRefused() {
        assertThatThrownBy(() -> new TextTable("a", "b").row("only one"))
                .hasMessage("1 cells for 2 columns");
    }
}
