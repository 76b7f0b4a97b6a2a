// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.exports;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Mixtures whose parts PyTorch, scikit-learn and LightGBM have exported answer as their own
 * frameworks do. {@code -Dexports.dir=DIR} tests other folders of the same kind.
 */
class ExportsTest {

    @TempDir private Path folder;

    @Test
    void everyExportAnswersAsItsOwnFramework() throws Exception {
        Path all = Path.of(System.getProperty("exports.dir", "src/test/resources/exports"));
        List<Path> cases;
        try (Stream<Path> folders = Files.list(all)) {
            cases = folders.filter(ExportsTest::isMixture).sorted().toList();
        }
        List<String> wrong = new ArrayList<>();
        for (Path path : cases) {
            Path output = folder.resolve(path.getFileName());
            double worst = new ExportedCase(path).worst(output);
            if (worst > 1) {
                wrong.add("%s: %.3g times the tolerance".formatted(path.getFileName(), worst));
            }
        }
        System.out.printf(
                "exports: %d folders, %d passed%n", cases.size(), cases.size() - wrong.size());
        assertThat(cases).isNotEmpty();
        assertThat(wrong).isEmpty();
    }

    /** The folder of odd exports has no mixture: {@link OddExportsTest}. */
    private static boolean isMixture(Path path) {
        return Files.exists(path.resolve("case.json"))
                && Files.exists(path.resolve("expected.safetensors"))
                && Files.isDirectory(path.resolve("experts"));
    }
}
