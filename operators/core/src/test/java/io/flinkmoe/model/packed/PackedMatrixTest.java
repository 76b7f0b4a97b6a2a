// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.packed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.model.packed.PackedMatrix.Stored;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PackedMatrixTest {
    // E4M3: 0x38 is 1, 0x40 is 2, 0xb8 is -1, 0x3c is 1.5, 0x01 is 2^-9, 0x7e is 448.
    private static final int ONE = 0x38;
    private static final int TWO = 0x40;

    private record Tensor(String type, long[] shape, byte[] data) {}

    @TempDir Path dir;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    @Test
    void fp8HasAScalePerBlockOfWhichTheLastMayBeCut() throws Exception {
        bytes("w", "F8_E4M3", new long[] {3, 3}, ONE, TWO, 0xb8, 0x3c, ONE, 0x01, ONE, ONE, 0x7e);
        floats("s", new long[] {2, 2}, 1, 10, 100, 1000);

        try (SafetensorsFile file = write()) {
            RowReader rows =
                    PackedMatrix.fp8(
                            new Stored(file, "w"),
                            new Stored(file, "s"),
                            new int[] {1, 3, 3},
                            new int[] {2, 2});
            assertThat(read(rows, MatrixView.of(0, 3, 3)))
                    .containsExactly(1, 2, -10, 1.5f, 1, 10 * 0x1p-9f, 100, 100, 448_000);
            assertThat(read(rows, MatrixView.of(0, 3, 3).transpose()))
                    .containsExactly(1, 1.5f, 100, 2, 1, 100, -10, 10 * 0x1p-9f, 448_000);
        }
    }

    @Test
    void fp8HasAScalePerRowOrPerTensor() throws Exception {
        bytes("w", "F8_E4M3", new long[] {2, 2}, ONE, TWO, ONE, TWO);
        floats("rows", new long[] {2, 1}, 3, 5);
        floats("tensor", new long[0], 7);

        try (SafetensorsFile file = write()) {
            assertThat(read(fp8(file, "rows", 1, 2, 2), MatrixView.of(0, 2, 2)))
                    .containsExactly(3, 6, 5, 10);
            assertThat(read(fp8(file, "tensor", 1, 2, 2), MatrixView.of(0, 2, 2)))
                    .containsExactly(7, 14, 7, 14);
        }
    }

    @Test
    void eachOfSeveralMatricesHasItsOwnScales() throws Exception {
        bytes("w", "F8_E4M3", new long[] {2, 1, 2}, ONE, TWO, ONE, TWO);
        floats("s", new long[] {2, 1, 1}, 3, 5);

        try (SafetensorsFile file = write()) {
            assertThat(read(fp8(file, "s", 2, 1, 2), MatrixView.of(1, 1, 2)))
                    .containsExactly(5, 10);
        }
    }

    @Test
    void refusesScalesOfAnotherShape() throws Exception {
        bytes("w", "F8_E4M3", new long[] {2, 2}, ONE, TWO, ONE, TWO);
        floats("s", new long[] {3}, 1, 2, 3);

        try (SafetensorsFile file = write()) {
            assertThatThrownBy(() -> fp8(file, "s", 1, 2, 2))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("tensor s has shape [3], which is neither one scale");
        }
    }

    private static RowReader fp8(SafetensorsFile file, String scale, int n, int rows, int columns)
            throws IOException {
        return PackedMatrix.fp8(
                new Stored(file, "w"),
                new Stored(file, scale),
                new int[] {n, rows, columns},
                new int[] {128, 128});
    }

    @Test
    void groupsHaveTheLowestNibbleFirst() throws Exception {
        // Values -8 .. 7 as 0 .. 15; two groups of 8.
        ints("w", new long[] {1, 2}, 0x76543210, 0xfedcba98);
        floats("s", new long[] {1, 2}, 1, 2);

        try (SafetensorsFile file = write()) {
            RowReader rows =
                    PackedMatrix.groups(new Stored(file, "w"), new Stored(file, "s"), 1, 16);
            assertThat(read(rows, MatrixView.of(0, 1, 16)))
                    .containsExactly(-8, -7, -6, -5, -4, -3, -2, -1, 0, 2, 4, 6, 8, 10, 12, 14);
            assertThat(read(rows, new MatrixView(0, 1, 1, 3, 2, 4, false)))
                    .containsExactly(-5, -3, -1, 2);
        }
    }

    @Test
    void groupsMayHaveEightBits() throws Exception {
        ints("w", new long[] {1, 2}, 0x017f81ff, 0x80808080);
        floats("s", new long[] {1, 1}, 1);

        try (SafetensorsFile file = write()) {
            RowReader rows =
                    PackedMatrix.groups(new Stored(file, "w"), new Stored(file, "s"), 1, 8);
            assertThat(read(rows, MatrixView.of(0, 1, 8)))
                    .containsExactly(127, 1, -1, -127, 0, 0, 0, 0);
        }
    }

    @Test
    void nvfp4MultipliesOrDividesByTheFactor() throws Exception {
        bytes("w", "U8", new long[] {1, 2}, 0x21, 0xf7);
        bytes("s", "F8_E4M3", new long[] {1, 2}, ONE, TWO);
        floats("g", new long[] {1}, 4);

        try (SafetensorsFile file = write()) {
            for (boolean divides : new boolean[] {false, true}) {
                RowReader rows =
                        PackedMatrix.nvfp4(
                                new Stored(file, "w"),
                                new Stored(file, "s"),
                                new Stored(file, "g"),
                                new int[] {1, 4},
                                divides);
                float factor = divides ? 0.25f : 4;
                assertThat(read(rows, MatrixView.of(0, 1, 4)))
                        .containsExactly(0.5f * factor, factor, 12 * factor, -12 * factor);
            }
        }
    }

    @Test
    void mxfp4HasAPowerOfTwoPer32Values() throws Exception {
        int[] data = new int[32];
        data[0] = 0x21;
        data[16] = 0x21;
        bytes("b", "U8", new long[] {1, 1, 2, 16}, data);
        bytes("s", "U8", new long[] {1, 1, 2}, 127, 129);

        try (SafetensorsFile file = write()) {
            RowReader rows = PackedMatrix.mxfp4(new Stored(file, "b"), new Stored(file, "s"), 64);
            float[] row = read(rows, MatrixView.of(0, 1, 64));
            assertThat(row[0]).isEqualTo(0.5f);
            assertThat(row[1]).isEqualTo(1);
            assertThat(row[32]).isEqualTo(2);
            assertThat(row[33]).isEqualTo(4);
            assertThat(row[2]).isZero();
        }
    }

    private static float[] read(RowReader rows, MatrixView view) throws IOException {
        RowBlocks blocks = new RowBlocks(() -> rows, view);
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

    private void bytes(String name, String type, long[] shape, int... values) {
        byte[] data = new byte[values.length];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) values[i];
        }
        tensors.put(name, new Tensor(type, shape, data));
    }

    private void floats(String name, long[] shape, float... values) {
        ByteBuffer data = littleEndian(4 * values.length);
        data.asFloatBuffer().put(values);
        tensors.put(name, new Tensor("F32", shape, data.array()));
    }

    private void ints(String name, long[] shape, int... values) {
        ByteBuffer data = littleEndian(4 * values.length);
        data.asIntBuffer().put(values);
        tensors.put(name, new Tensor("I32", shape, data.array()));
    }

    private SafetensorsFile write() throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode header = mapper.createObjectNode();
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        for (Map.Entry<String, Tensor> tensor : tensors.entrySet()) {
            ObjectNode entry = header.putObject(tensor.getKey());
            entry.put("dtype", tensor.getValue().type);
            entry.set("shape", mapper.valueToTree(tensor.getValue().shape));
            int begin = data.size();
            data.write(tensor.getValue().data);
            entry.set("data_offsets", mapper.valueToTree(new int[] {begin, data.size()}));
        }
        byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        file.write(littleEndian(8).putLong(json.length).array());
        file.write(json);
        file.write(data.toByteArray());
        return SafetensorsFile.open(
                Files.write(dir.resolve("packed.safetensors"), file.toByteArray()));
    }

    private static ByteBuffer littleEndian(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
}
