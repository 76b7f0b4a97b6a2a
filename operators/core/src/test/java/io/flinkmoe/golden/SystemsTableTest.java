// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.routing.RoutingPresets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * The table of supported systems in operators/README.md is generated from the golden cases that the
 * tests run. {@code -Ddocs.write=true} writes it.
 */
class SystemsTableTest {

    private static final Path README = Path.of("../README.md");
    private static final Path SYSTEMS = Path.of("src/test/resources/systems.tsv");
    private static final String FIRST = "| system | preset | import | stream | golden cases |";
    private static final Pattern NAME = Pattern.compile("`([a-z0-9-]+)`");

    /**
     * A row of the table.
     *
     * @param preset names of {@link RoutingPresets}
     * @param stream what a job runs; empty where the cases tell it
     * @param systems the systems of its golden cases
     */
    private record Row(
            String title, String preset, String imported, String stream, List<String> systems) {}

    private static List<Row> rows() throws IOException {
        List<Row> rows = new ArrayList<>();
        for (String line : Files.readAllLines(SYSTEMS)) {
            if (!line.startsWith("#")) {
                String[] cells = line.split("\t", -1);
                List<String> systems = Stream.of(cells[4].split(",")).toList();
                rows.add(new Row(cells[0], cells[1], cells[2], cells[3], systems));
            }
        }
        return rows;
    }

    private static Map<String, List<GoldenCase>> casesBySystem() throws IOException {
        Map<String, List<GoldenCase>> cases = new TreeMap<>();
        for (GoldenCase golden : GoldenCases.in(GoldenCases.OWN)) {
            cases.computeIfAbsent(golden.system(), system -> new ArrayList<>()).add(golden);
        }
        return cases;
    }

    @Test
    void everySystemAndEveryPresetHasARow() throws IOException {
        Set<String> systems = new TreeSet<>();
        Set<String> presets = new TreeSet<>();
        for (Row row : rows()) {
            systems.addAll(row.systems);
            Matcher names = NAME.matcher(row.preset);
            while (names.find()) {
                presets.add(names.group(1));
            }
        }
        assertThat(systems).isEqualTo(casesBySystem().keySet());
        assertThat(presets).isEqualTo(new TreeSet<>(RoutingPresets.all().keySet()));
    }

    /** GoldenStreamIT runs the cases with a capacity and those with several gates. */
    @Test
    void whatAJobRunsFollowsFromTheCases() throws IOException {
        Map<String, List<GoldenCase>> cases = casesBySystem();
        for (Row row : rows()) {
            for (String system : row.systems) {
                boolean drops = cases.get(system).stream().anyMatch(c -> c.has("capacity"));
                boolean hasGates = cases.get(system).stream().anyMatch(GoldenLevels::appliesTo);
                if (drops) {
                    assertThat(row.stream).as(system).startsWith("with capacity");
                } else if (hasGates) {
                    assertThat(row.stream).as(system).isEqualTo("yes");
                } else {
                    assertThat(row.stream).as(system).doesNotContain("capacity");
                }
            }
        }
    }

    @Test
    void theReadmeHasTheTable() throws IOException {
        String readme = Files.readString(README);
        int from = readme.indexOf(FIRST);
        int to = readme.indexOf("\n\n", from) + 1;
        String table = table();
        if (Boolean.getBoolean("docs.write")) {
            Files.writeString(README, readme.substring(0, from) + table + readme.substring(to));
            return;
        }
        assertThat(readme.substring(from, to))
                .as(
                        "written anew by mvn test -pl operators/core -Dtest=SystemsTableTest -Ddocs.write=true")
                .isEqualTo(table);
    }

    private static String table() throws IOException {
        Map<String, List<GoldenCase>> cases = casesBySystem();
        StringBuilder table = new StringBuilder(FIRST).append("\n|---|---|---|---|---|\n");
        for (Row row : rows()) {
            String counts =
                    row.systems.stream()
                            .map(system -> "`%s`: %d".formatted(system, cases.get(system).size()))
                            .collect(Collectors.joining(", "));
            table.append(
                    "| %s | %s | %s | %s | %s |%n"
                            .formatted(row.title, row.preset, row.imported, row.stream, counts)
                            .replace("|  |", "| |")
                            .replace("|  |", "| |"));
        }
        return table.toString();
    }
}
