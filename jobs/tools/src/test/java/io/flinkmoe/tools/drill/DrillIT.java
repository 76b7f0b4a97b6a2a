// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A short drill; the real ones have more kills. */
class DrillIT {

    @BeforeAll
    static void setHome() {
        System.setProperty("moe.home", Home.ROOT.toString());
    }

    @AfterAll
    static void clearHome() {
        System.clearProperty("moe.home");
    }

    @Test
    @Tag("slow")
    void killsChangeNothing() {
        Program drill = Program.run("drill", "--seed", 4, "--kills", 1, "--no-cost");

        assertThat(drill.exitCode()).as(drill.out() + drill.err()).isZero();
        assertThat(drill.out())
                .contains("Every flight was scored once, in order, with the same bits.")
                .containsPattern("rerouted +[1-9]")
                .containsPattern("overflowed +[1-9]")
                .containsPattern("late +[1-9]");
    }

    @Test
    @Tag("slow")
    void unalignedCheckpointsGoOnAtAnyParallelism() {
        Program drill =
                Program.run("drill", "--rescale=1", "--unaligned", "--rate", 5000, "--no-cost");

        assertThat(drill.exitCode()).as(drill.out() + drill.err()).isZero();
        assertThat(drill.out())
                .contains("parallelism 2 to 1 with unaligned checkpoint")
                .contains("Every flight was scored once, in order, with the same bits.");
    }
}
