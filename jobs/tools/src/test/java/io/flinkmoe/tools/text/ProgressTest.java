// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class ProgressTest {

    private final StringWriter out = new StringWriter();

    @Test
    void terminalLineIsRewrittenAndItsRestBlanked() {
        Progress progress = new Progress(new PrintWriter(out), true);

        progress.show("10 tokens");
        progress.done("done");

        assertThat(out.toString())
                .isEqualTo("\r10 tokens" + "\rdone     " + System.lineSeparator());
    }

    @Test
    void elsewhereLinesComeAtMostOnceASecond() {
        Progress progress = new Progress(new PrintWriter(out), false);

        progress.show("first");
        progress.show("too soon");
        progress.done("last");

        assertThat(out.toString().lines()).containsExactly("first", "last");
    }
}
