// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Slices of a tensor [6, 5000], which is not the first of its file, and of large ones. */
class MatrixSliceTest {
    private static final int COLUMNS = 5000;

    @TempDir Path dir;

    @Test
    void neighbouringRowsMakeUpTheTensor() throws Exception {
        float[] data = numbers(6 * COLUMNS);
        try (SafetensorsFile file = write(data, 6, COLUMNS)) {
            for (int parts : new int[] {1, 2, 3, 6}) {
                int rows = 6 / parts;
                for (int part = 0; part < parts; part++) {
                    int from = part * rows * COLUMNS;
                    assertThat(read(file, MatrixSlice.of(from, rows, COLUMNS)))
                            .isEqualTo(Arrays.copyOfRange(data, from, from + rows * COLUMNS));
                }
            }
        }
    }

    /** The last two cross the bounds of blocks, tiles and panels. */
    @ParameterizedTest
    @CsvSource({
        "6, 5000, 0, 1, 1",
        "6, 5000, 7, 5, 13",
        "6, 5000, 29999, 1, 1",
        "17, 300, 40, 17, 260",
        "3, 70000, 2, 3, 69998",
        "2100, 2100, 3, 2090, 2050"
    })
    void aRectangleIsReadByRowAndByColumn(int allRows, int stride, int first, int rows, int columns)
            throws Exception {
        float[] data = numbers(allRows * stride);
        float[] byRow = new float[rows * columns];
        float[] byColumn = new float[rows * columns];
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                float value = data[first + row * stride + column];
                byRow[row * columns + column] = value;
                byColumn[column * rows + row] = value;
            }
        }
        MatrixSlice slice = new MatrixSlice(first, rows, columns, stride, false);

        try (SafetensorsFile file = write(data, allRows, stride)) {
            assertThat(Arrays.equals(read(file, slice), byRow)).isTrue();
            assertThat(Arrays.equals(read(file, slice.transpose()), byColumn)).isTrue();
        }
    }

    @Test
    void aBadValueIsNamedByItsPlaceInTheWholeTensor() throws Exception {
        float[] data = numbers(6 * COLUMNS);
        data[4 * COLUMNS + 17] = Float.NaN;
        try (SafetensorsFile file = write(data, 6, COLUMNS)) {
            MatrixSlice slice = new MatrixSlice(3 * COLUMNS + 10, 3, 20, COLUMNS, true);
            FloatBlocks blocks = file.blocks("x", slice, FloatCheck.FINITE);

            assertThatThrownBy(() -> blocks.forEachBlock((block, count) -> {}))
                    .isInstanceOf(SafetensorsException.class)
                    .hasMessageEndingWith("tensor x: value [4, 17] is NaN; allowed: finite values");
            assertThat(read(file, slice)).contains(Float.NaN);
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 7, 5000, 5000", "1, 6, 5000, 5000", "20000, 3, 1, 5000"})
    void refusesASliceThatLeavesTheTensor(long first, int rows, int columns, long stride)
            throws Exception {
        try (SafetensorsFile file = write(numbers(6 * COLUMNS), 6, COLUMNS)) {
            MatrixSlice slice = new MatrixSlice(first, rows, columns, stride, false);
            assertThatThrownBy(() -> file.blocks("x", slice, FloatCheck.ANY))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("is not inside tensor x, which has 30000 elements");
        }
    }

    @ParameterizedTest
    @CsvSource({"-1, 1, 1, 1", "0, 0, 1, 1", "0, 1, 0, 1", "0, 2, 3, 2"})
    void refusesASliceThatIsNone(long first, int rows, int columns, long stride) {
        assertThatThrownBy(() -> new MatrixSlice(first, rows, columns, stride, false))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("expected 0 or more");
    }

    private static float[] numbers(int count) {
        Random random = new Random(count);
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = random.nextFloat();
        }
        return numbers;
    }

    private SafetensorsFile write(float[] data, int rows, int columns) throws IOException {
        Path path = dir.resolve("t.safetensors");
        new SafetensorsWriter()
                .add("before", new long[] {3}, new float[] {-1, -2, -3})
                .add("x", new long[] {rows, columns}, data)
                .writeTo(path);
        return SafetensorsFile.open(path);
    }

    private static float[] read(SafetensorsFile file, MatrixSlice slice) throws IOException {
        FloatBlocks blocks = file.blocks("x", slice, FloatCheck.ANY);
        float[] all = new float[(int) blocks.count()];
        int[] at = new int[1];
        blocks.forEachBlock(
                (block, count) -> {
                    System.arraycopy(block, 0, all, at[0], count);
                    at[0] += count;
                });
        assertThat(at[0]).isEqualTo(all.length);
        return all;
    }
}
