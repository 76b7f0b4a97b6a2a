// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every golden case in the folder that {@code -Dgolden.dir} gives (default: the project's own),
 * from the router to the combined output. A system that is not known fails, and so does a tensor
 * that nothing was compared with.
 */
class GoldenTest {

    private static int cases;
    private static int passed;

    @TempDir private Path directory;

    static List<GoldenCase> goldenCases() throws IOException {
        return GoldenCases.in(GoldenCases.folder());
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("goldenCases")
    void answersAsThePublishedCode(GoldenCase golden) throws Exception {
        cases++;
        switch (golden.system()) {
            case "losses" -> GoldenLosses.checkLosses(golden);
            case "bias_update" -> GoldenLosses.checkBiasUpdate(golden);
            case "jetmoe_attention", "moduleformer_attention" -> GoldenAttention.check(golden);
            default -> {
                if (GoldenLevels.appliesTo(golden)) {
                    new GoldenLevelsCheck(golden).checkReference(directory);
                } else {
                    new GoldenLayer(golden, directory).check();
                }
            }
        }
        assertThat(golden.unread()).as("tensors of %s that nothing read", golden).isEmpty();
        if (GoldenCases.folder().equals(GoldenCases.OWN)) {
            ConfigCheck.check(golden);
        }
        passed++;
    }

    @AfterAll
    static void report() {
        System.out.printf("golden: %d cases, %d passed%n", cases, passed);
    }
}
