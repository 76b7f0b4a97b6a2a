// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** With the demo's checkpoint, which has one layer. */
class ImportCommandTest {

    @TempDir private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"0", "0-0", "0,0"})
    void importsTheLayersThatAreListed(String layers) {
        Program program = importLayers(layers);

        assertThat(program.err()).isEmpty();
        assertThat(program.exitCode()).isZero();
        assertThat(folder.resolve("bundle/layers/0/router.onnx")).exists();
        assertThat(folder.resolve("bundle/layers/1").toFile().exists())
                .isEqualTo(layers.contains(","));
    }

    @Test
    void aLayerThatIsNotThereFailsAndSaysWhichAre() {
        Program program = importLayers("0-2");

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err())
                .contains("there is no layer 1; the checkpoint has the MoE layers 0 to 0");
        assertThat(folder).isEmptyDirectory();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "first", "0,", "2-1", "-1", "0;1", "99999"})
    void layersThatAreNoListAreWrongUse(String layers) {
        Program program = importLayers(layers);

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err()).contains("--layers is '" + layers + "'; allowed: numbers");
        assertThat(folder).isEmptyDirectory();
    }

    private Program importLayers(String layers) {
        return Program.run(
                "import",
                "--checkpoint",
                Home.FLIGHTS.resolve("checkpoint"),
                "--layers=" + layers,
                "--output",
                folder.resolve("bundle"));
    }
}
