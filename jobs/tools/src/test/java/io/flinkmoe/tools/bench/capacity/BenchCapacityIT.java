// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.capacity;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine.ExitCode;

class BenchCapacityIT {

    @TempDir private Path folder;

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
    void moreRoomMeansLessOverflowAndNextExpertsTakeSomeOfIt() throws Exception {
        Path output = folder.resolve("table.md");
        Program program =
                Program.run("bench", "capacity", "--quick", "--events", 3000, "--output", output);

        assertThat(program.exitCode()).as(program.out() + program.err()).isZero();
        assertThat(folder.resolve("table.svg"))
                .content()
                .startsWith("<svg")
                .contains("residual", "next-expert", "dropless");
        List<String[]> rows = rows(output);
        List<Double> residual = overflows(rows, "residual");
        List<Double> nextExpert = overflows(rows, "next-expert");
        assertThat(rows).hasSize(13);
        assertThat(residual).hasSize(6).isSortedAccordingTo(Comparator.reverseOrder());
        assertThat(nextExpert).hasSize(6).isSortedAccordingTo(Comparator.reverseOrder());
        // Half of the room that all choices need leaves at least half of them without.
        assertThat(residual.get(0)).isBetween(49.0, 70.0);
        for (int i = 0; i < residual.size(); i++) {
            assertThat(nextExpert.get(i)).isLessThanOrEqualTo(residual.get(i));
        }
        // With room for exactly all choices, next experts must have room for some.
        assertThat(nextExpert.get(2)).isLessThan(residual.get(2));
        assertThat(rows.get(12)).startsWith("dropless", "-", "0.0", "0.0");
        for (String[] row : rows) {
            assertThat(Double.parseDouble(row[4])).as("AUC").isBetween(0.5, 1.0);
            assertThat(Double.parseDouble(row[5].replace(",", ""))).as("tokens/s").isPositive();
            assertThat(Double.parseDouble(row[6].replace(",", ""))).as("p99").isPositive();
        }
    }

    @Test
    void namesTheOrdersThatThereAre() {
        Program program = Program.run("bench", "capacity", "--order", "alphabet");

        assertThat(program.exitCode()).isEqualTo(ExitCode.USAGE);
        assertThat(program.err()).contains("alphabet", "gate-score", "token-priority");
    }

    /** The cells of the table in a Markdown file, without its head. */
    private static List<String[]> rows(Path file) throws Exception {
        List<String[]> rows = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            if (line.startsWith("| ")) {
                rows.add(line.substring(2).split(" \\|( |$)"));
            }
        }
        return rows.subList(2, rows.size());
    }

    private static List<Double> overflows(List<String[]> rows, String policy) {
        return rows.stream()
                .filter(row -> row[1].equals(policy))
                .map(row -> Double.parseDouble(row[2]))
                .toList();
    }
}
