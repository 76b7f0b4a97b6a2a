// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Parts of a tensor [6, 5000], which is not the first of its file, and of a scalar. */
class SafetensorsPartTest {
    @TempDir Path dir;
    private Path path;
    private final float[] data = new float[6 * 5000];

    @BeforeEach
    void write() throws Exception {
        path = dir.resolve("t.safetensors");
        for (int i = 0; i < data.length; i++) {
            data[i] = i;
        }
        new SafetensorsWriter()
                .add("before", new long[] {3}, new float[] {-1, -2, -3})
                .add("stacked", new long[] {6, 5000}, data)
                .add("scalar", new long[0], new float[] {-4})
                .writeTo(path);
    }

    @Test
    void thePartsMakeUpTheTensor() throws Exception {
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            for (int parts : new int[] {1, 2, 3, 6}) {
                int size = data.length / parts;
                for (int part = 0; part < parts; part++) {
                    assertThat(file.floats("stacked", part, parts))
                            .isEqualTo(Arrays.copyOfRange(data, part * size, (part + 1) * size));
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"stacked, 2, 2", "stacked, -1, 2", "stacked, 0, 4", "scalar, 0, 1"})
    void refusesPartsThatDoNotDivideTheTensor(String name, int part, int parts) throws Exception {
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThatThrownBy(() -> file.floats(name, part, parts))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("part %d of %d of tensor %s".formatted(part, parts, name))
                    .hasMessageContaining("must divide its first dimension");
        }
    }
}
