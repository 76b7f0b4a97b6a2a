// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.tools.Program;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FuzzCommandTest {

    @TempDir private Path dir;

    @Test
    void printsATableOfWhatBecameOfTheInputs() {
        Path keep = dir.resolve("defects");

        Program program =
                Program.run(
                        "fuzz", "--target", "token", "--inputs", 500, "--seed", 5, "--keep", keep);

        assertThat(program.exitCode()).as(program.err()).isZero();
        assertThat(program.out().lines().toList())
                .hasSize(2)
                .satisfies(
                        lines -> {
                            assertThat(lines.get(0))
                                    .contains(
                                            "target", "inputs", "accepted", "rejected", "seconds");
                            assertThat(lines.get(1))
                                    .contains("token", "500", "MalformedRecordException");
                        });
        assertThat(program.err()).contains("token: 500 of 500 inputs");
        assertThat(keep).doesNotExist();
    }

    @Test
    void namesTheTargetsThatThereAre() {
        Program program = Program.run("fuzz", "--target", "tokens");

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err())
                .contains("--target is 'tokens'; allowed: token, token-raw, model-json, ");
    }
}
