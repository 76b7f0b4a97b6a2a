// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** The golden cases of a folder. */
public final class GoldenCases {

    /** The project's own copy, from any module of this folder: tests run in the module's own. */
    public static final Path OWN = Path.of("..", "core", "src", "test", "resources", "golden");

    private GoldenCases() {}

    /** The folder given by {@code -Dgolden.dir}, or the project's own copy. */
    public static Path folder() {
        return Path.of(System.getProperty("golden.dir", OWN.toString()));
    }

    /** The cases below a folder, by name. */
    public static List<GoldenCase> in(Path folder) throws IOException {
        List<Path> found;
        try (Stream<Path> children = Files.list(folder)) {
            found =
                    children.filter(child -> Files.exists(child.resolve("case.json")))
                            .sorted()
                            .toList();
        }
        if (found.isEmpty()) {
            throw new IOException(
                    "%s: there is no golden case; expected folders with a case.json"
                            .formatted(folder.toAbsolutePath()));
        }
        List<GoldenCase> cases = new ArrayList<>();
        for (Path child : found) {
            cases.add(GoldenCase.open(child));
        }
        return cases;
    }

    /** The project's own cases of some systems; at least one of each. */
    public static List<GoldenCase> ofSystems(String... systems) throws IOException {
        Set<String> wanted = Set.of(systems);
        List<GoldenCase> cases =
                in(OWN).stream().filter(golden -> wanted.contains(golden.system())).toList();
        for (String system : systems) {
            if (cases.stream().noneMatch(golden -> golden.system().equals(system))) {
                throw new IllegalArgumentException(
                        "%s: there is no case of the system %s".formatted(OWN, system));
            }
        }
        return cases;
    }
}
