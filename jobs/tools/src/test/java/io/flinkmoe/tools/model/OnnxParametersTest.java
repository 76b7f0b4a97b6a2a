// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.tools.Home;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OnnxParametersTest {

    @Test
    void countsTheElementsOfTheInitializers() throws Exception {
        Path head = Home.FLIGHTS.resolve("head.onnx");

        assertThat(OnnxParameters.count(head)).isEqualTo(64 + 64 + 64 + 1);
    }

    @Test
    void fileOfAnotherKindIsNamed(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(folder.resolve("model.onnx"), "not a model");

        assertThatThrownBy(() -> OnnxParameters.count(file))
                .isInstanceOf(IOException.class)
                .hasMessage(file + " is not an ONNX model");
    }
}
