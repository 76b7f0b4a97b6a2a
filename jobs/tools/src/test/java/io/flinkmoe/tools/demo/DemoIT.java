// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoIT {

    @TempDir private static Path folder;

    @BeforeAll
    static void setHome() {
        System.setProperty("moe.home", Home.ROOT.toString());
    }

    @AfterAll
    static void clearHome() {
        System.clearProperty("moe.home");
    }

    @Test
    void everyFlightIsScoredOnceAndAsExpected() {
        Program program = Program.run("demo");

        assertThat(program.exitCode()).as(program.out() + program.err()).isZero();
        assertThat(figure(program, "tokens in")).isEqualTo(48_836);
        assertThat(figure(program, "tokens out")).isEqualTo(48_836);
        assertThat(figure(program, "dead letters")).isZero();
        assertThat(figure(program, "executed")).isEqualTo(2 * 48_836);
        assertThat(figure(program, "unexpected experts")).isZero();
        assertThat(figure(program, "largest difference")).isLessThanOrEqualTo(1e-5);
        assertThat(figure(program, "AUC")).isCloseTo(0.7377, within(0.0003));
    }

    @Test
    void capacityMakesChoicesOverflowAndCostsQuality() {
        Program program = Program.run("demo", "--capacity", 200, "--window", "1h");

        assertThat(program.exitCode()).as(program.out() + program.err()).isZero();
        assertThat(figure(program, "tokens out")).isEqualTo(48_836);
        assertThat(figure(program, "overflowed")).isPositive();
        assertThat(figure(program, "AUC")).isBetween(0.66, 0.7377);
        assertThat(program.out()).doesNotContain("unexpected experts");
    }

    @Test
    void delaysAreScoredForEachTaskAndEveryExpertOfTheUnionRunsOnce() throws Exception {
        Path page = folder.resolve("out.html");

        Program program =
                Program.run("demo", "--model", "delay", "--events", 4000, "--report", page);

        assertThat(program.exitCode()).as(program.out() + program.err()).isZero();
        assertThat(figure(program, "tokens out")).isEqualTo(4000);
        assertThat(figure(program, "dead letters")).isZero();
        assertThat(figure(program, "unexpected experts")).isZero();
        assertThat(figure(program, "largest difference")).isLessThanOrEqualTo(1e-5);
        assertThat(figure(program, "AUC late15")).isBetween(0.6, 0.8);
        assertThat(figure(program, "expert runs"))
                .isEqualTo(figure(program, "executed"))
                .isBetween(3.0 * 4000, 4.0 * 4000);
        assertThat(program.out())
                .contains("per flight; dense: 24,000")
                .containsPattern("late60 +late by 60 minutes or more +\\d");
        assertThat(Page.parse(Files.readString(page)).charts())
                .contains("gate-shares", "roc", "calibration");
    }

    private static double figure(Program program, String name) {
        Matcher line =
                Pattern.compile("^ +" + name + " +(\\S+)", Pattern.MULTILINE)
                        .matcher(program.out());
        assertThat(line.find()).as("%s in:%n%s", name, program.out()).isTrue();
        return Double.parseDouble(line.group(1).replace(",", ""));
    }
}
