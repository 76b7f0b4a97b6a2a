// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsFileTest {
    @TempDir Path dir;
    private Path path;

    @BeforeEach
    void name() {
        path = dir.resolve("a.safetensors");
    }

    @Test
    void readsWhatTheWriterWrote() throws Exception {
        float[] floats = new float[3 * 20_000];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = i * 0.25f - 7;
        }
        int[] ints = {Integer.MIN_VALUE, -1, 0, Integer.MAX_VALUE};
        new SafetensorsWriter()
                .add("z", new long[] {3, 20_000}, floats)
                .add("a", new long[] {4, 1}, ints)
                .add("scalar", new long[0], new float[] {-0.0f})
                .add("empty", new long[] {0, 5}, new float[0])
                .writeTo(path);

        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.tensors().keySet()).containsExactly("z", "a", "scalar", "empty");
            assertThat(file.tensors().get("z").position() % 8).isZero();
            assertThat(file.shape("z")).containsExactly(3, 20_000);
            assertThat(file.floats("z")).isEqualTo(floats);
            assertThat(file.ints("a")).isEqualTo(ints);
            assertThat(file.shape("scalar")).isEmpty();
            assertThat(file.floats("scalar")).isEqualTo(new float[] {-0.0f});
            assertThat(file.floats("empty")).isEmpty();
            assertThat(file.contains("z")).isTrue();
            assertThat(file.contains("y")).isFalse();
        }
    }

    @Test
    void refusesAHeaderThatLooksLikeUtf32() throws Exception {
        byte[] json = {0, 0, 0, '{', 0x7F, 0, 0, 1};
        Files.write(path, littleEndian(16).putLong(json.length).put(json).array());

        assertThatThrownBy(() -> SafetensorsFile.open(path))
                .isInstanceOf(SafetensorsException.class)
                .hasMessageStartingWith(path + ": the header cannot be read: Invalid UTF-32");
    }

    @Test
    void readsHalfPrecisionExactly() throws Exception {
        int[] bits = {0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x3c00, 0xc000, 0x7bff, 0x7c00};
        ByteBuffer data = littleEndian(2 * bits.length);
        for (int b : bits) {
            data.putShort((short) b);
        }
        write(entry("h", "F16", "[9]", 0, 18), data.array());

        assertThat(floats("h"))
                .isEqualTo(
                        new float[] {
                            0f,
                            -0f,
                            0x1p-24f,
                            0x3ffp-24f,
                            0x1p-14f,
                            1f,
                            -2f,
                            65504f,
                            Float.POSITIVE_INFINITY
                        });
    }

    @Test
    void readsBrainFloatsAndDoubles() throws Exception {
        ByteBuffer data = littleEndian(20);
        data.putShort((short) 0x3fc0).putShort((short) 0xc2f7).putDouble(0.1).putDouble(-1e300);
        write(
                entry("b", "BF16", "[2]", 0, 4) + "," + entry("d", "F64", "[2]", 4, 20),
                data.array());

        assertThat(floats("b")).containsExactly(1.5f, -123.5f);
        assertThat(floats("d")).containsExactly(0.1f, Float.NEGATIVE_INFINITY);
    }

    @Test
    void readsIntegersOfEveryWidth() throws Exception {
        ByteBuffer data = littleEndian(26);
        data.putLong(-5).putLong(1L << 31).putInt(-6).putShort((short) -7);
        data.put((byte) -8).put((byte) 200).putShort((short) 0x3c00);
        write(
                String.join(
                        ",",
                        entry("fits", "I64", "[1]", 0, 8),
                        entry("large", "I64", "[1]", 8, 16),
                        entry("i32", "I32", "[1]", 16, 20),
                        entry("i16", "I16", "[1]", 20, 22),
                        entry("i8", "I8", "[1]", 22, 23),
                        entry("u8", "U8", "[1]", 23, 24),
                        entry("f16", "F16", "[1]", 24, 26)),
                data.array());

        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.ints("fits")).containsExactly(-5);
            assertThat(file.ints("i32")).containsExactly(-6);
            assertThat(file.ints("i16")).containsExactly(-7);
            assertThat(file.ints("i8")).containsExactly(-8);
            assertThat(file.ints("u8")).containsExactly(200);
            assertThatThrownBy(() -> file.ints("large"))
                    .isInstanceOf(SafetensorsException.class)
                    .hasMessageEndingWith(
                            "tensor large: element 0 is 2147483648;"
                                    + " allowed: -2147483648 to 2147483647");
            assertThatThrownBy(() -> file.ints("f16"))
                    .hasMessageEndingWith(
                            "tensor f16: dtype is F16; expected one of I64, I32, I16, I8, U8 to read ints");
            assertThatThrownBy(() -> file.floats("i32"))
                    .hasMessageEndingWith(
                            "tensor i32: dtype is I32;"
                                    + " expected one of F64, F32, F16, BF16 to read floats");
            assertThatThrownBy(() -> file.floats("nope"))
                    .hasMessageContaining(
                            "tensor nope: there is no such tensor; the file has 7 tensors")
                    .hasMessageContaining("fits");
        }
    }

    @Test
    void ordersTensorsByTheirDataAndIgnoresMetadata() throws Exception {
        write(
                "\"__metadata__\":{\"format\":\"pt\"},"
                        + entry("second", "U8", "[2]", 1, 3)
                        + ","
                        + entry("first", "U8", "[1]", 0, 1),
                new byte[3]);

        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.tensors().keySet()).containsExactly("first", "second");
            assertThat(file.tensors().get("second").shape()).isEqualTo(List.of(2L));
        }
    }

    @ParameterizedTest(name = "{4}")
    @CsvSource(
            delimiter = '|',
            value = {
                "F32 | [2] | 0 | 4 | shape [2] of F32 needs 8 bytes, but data_offsets [0, 4] has 4",
                "F32 | [3] | 0 | 12 | data_offsets is [0, 12]; allowed: 0 ≤ begin ≤ end ≤ 8",
                "F32 | [2] | -8 | 0 | data_offsets is [-8, 0]; allowed: 0 ≤ begin",
                "F32 | [0] | 8 | 0 | data_offsets is [8, 0]; allowed: 0 ≤ begin",
                "F32 | [-2] | 0 | 8 | shape is [-2]; expected no negative dimension",
                "F32 | [4611686018427387906] | 0 | 8 | needs more than 2^63 bytes",
                "F32 | [4294967296, 4294967296] | 0 | 8 | needs more than 2^63 bytes",
                "F32 | [9223372036854775808] | 0 | 8 | out of range of long",
                "F32 | [2.5] | 0 | 8 | the header entry of tensor x cannot be read",
                "F32 | [null] | 0 | 8 | the header entry of tensor x cannot be read",
                "F32 | null | 0 | 8 | dtype or shape is missing in the header",
                "F7 | [2] | 0 | 12 | data_offsets is [0, 12]; allowed: 0 ≤ begin ≤ end ≤ 8",
                "F7 | [1] | 4 | 8 | bytes 88 to 92 belong to no tensor",
                "F32 | [1] | 0 | 4 | bytes 92 to 96 belong to no tensor",
                "F32 | [1] | 4 | 8 | bytes 88 to 92 belong to no tensor",
            })
    void refusesABadEntry(String dtype, String shape, long begin, long end, String message)
            throws Exception {
        writePadded("{" + entry("x", dtype, shape, begin, end) + "}", 80, new byte[8]);

        assertRefused(message);
    }

    @Test
    void refusesOverlappingTensors() throws Exception {
        write(entry("x", "F32", "[2]", 0, 8) + "," + entry("y", "F32", "[2]", 4, 12), new byte[12]);

        assertRefused("tensor y: its data overlaps the data of tensor x");
    }

    @Test
    void refusesDuplicateNamesAndUnknownFields() throws Exception {
        write(entry("x", "U8", "[1]", 0, 1) + "," + entry("x", "U8", "[1]", 1, 2), new byte[2]);
        assertRefused("Duplicate field 'x'");

        write(
                "\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"more\":1}",
                new byte[0]);
        assertRefused("the header entry of tensor x cannot be read: Unrecognized field \"more\"");

        write("\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0]}", new byte[0]);
        assertRefused("tensor x: data_offsets is [0]; expected [begin, end]");
    }

    @Test
    void refusesAHeaderThatIsLongerThanTheFile() throws Exception {
        Files.write(path, littleEndian(16).putLong(9).array());
        assertRefused("the length of the header is 9 bytes; allowed: up to 8 in this file");

        Files.write(path, littleEndian(16).putLong(-1).array());
        assertRefused("the length of the header is 18446744073709551615 bytes");

        Files.write(path, new byte[7]);
        assertRefused("the file has 7 bytes; expected at least 8");
    }

    @Test
    void refusesAHeaderOfMoreThan100MegabytesBeforeReadingIt() throws Exception {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.write(littleEndian(8).putLong(100_000_001).array());
            file.setLength(200_000_000);
        }

        assertRefused("allowed: up to 100000000 in this file, up to 100000000 in any file");
    }

    @Test
    void refusesAHeaderThatIsNotAJsonObject() throws Exception {
        writePadded("[1]", 8, new byte[0]);
        assertRefused("the header is not a JSON object");

        writePadded("{\"x\":", 8, new byte[0]);
        assertRefused("cannot be read");

        writePadded("{} {}", 8, new byte[0]);
        assertRefused("the header has content after its JSON object");
    }

    @Test
    void refusesAMissingFile() {
        assertRefused("a.safetensors: there is no such file");
    }

    @Test
    void reportsAFileThatIsTruncatedWhileOpen() throws Exception {
        write(entry("x", "F32", "[2]", 0, 8), new byte[8]);

        try (SafetensorsFile file = SafetensorsFile.open(path);
                RandomAccessFile raw = new RandomAccessFile(path.toFile(), "rw")) {
            raw.setLength(raw.length() - 1);

            assertThatThrownBy(() -> file.floats("x"))
                    .isInstanceOf(SafetensorsException.class)
                    .hasMessageContaining("it was truncated while it was read");
        }
    }

    @Test
    void writerRefusesShapesAndNamesThatDoNotFit() {
        SafetensorsWriter writer =
                new SafetensorsWriter().add("x", new long[] {1}, new float[] {1});

        assertThatThrownBy(() -> writer.add("y", new long[] {2, 2}, new int[3]))
                .hasMessage("tensor y: shape [2, 2] has 4 elements, but the data has 3");
        assertThatThrownBy(() -> writer.add("x", new long[] {1}, new int[1]))
                .hasMessage("tensor x: the name is already used; give each tensor another name");
    }

    private float[] floats(String name) throws IOException {
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            return file.floats(name);
        }
    }

    private void assertRefused(String message) {
        assertThatThrownBy(() -> SafetensorsFile.open(path))
                .isInstanceOf(SafetensorsException.class)
                .hasMessageContaining("a.safetensors: ")
                .hasMessageContaining(message);
    }

    private static String entry(String name, String dtype, String shape, long begin, long end) {
        return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                .formatted(name, dtype, shape, begin, end);
    }

    private void write(String entries, byte[] data) throws IOException {
        String header = "{" + entries + "}";
        writePadded(header, header.length(), data);
    }

    private void writePadded(String header, int length, byte[] data) throws IOException {
        byte[] json =
                (header + " ".repeat(length - header.length())).getBytes(StandardCharsets.UTF_8);
        Files.write(
                path,
                littleEndian(8 + json.length + data.length)
                        .putLong(json.length)
                        .put(json)
                        .put(data)
                        .array());
    }

    private static ByteBuffer littleEndian(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
}
