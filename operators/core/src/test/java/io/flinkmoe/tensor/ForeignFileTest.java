// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files that users have instead of safetensors files. */
class ForeignFileTest {
    static final String POINTER =
            """
            version https://git-lfs.github.com/spec/v1
            oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
            size 4932307584
            """;

    @TempDir Path dir;

    @Test
    void aPointerOfGitLfs() throws Exception {
        assertRefused(POINTER, "it is a Git LFS pointer, not the file itself; run 'git lfs pull'");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "<!DOCTYPE html><html>|it is a web page; the download failed",
                "<?xml version='1.0'?><Error>|it is a web page; the download failed",
                "PK\3\4.........................|it is a PyTorch file or an archive",
                "\u0080\2..........................|it is a PyTorch file or an archive",
                "GGUF\3.......................|it is a GGUF file",
                "\u0089HDF.......................|it is an HDF5 file",
                "Entry not found|it is a text file that begins with 'Entry not found'; the download",
            })
    void filesOfOtherKinds(String content, String message) throws Exception {
        assertRefused(content, message);
    }

    @Test
    void aLinkToAFileThatIsNotThere() throws Exception {
        Path link = Files.createSymbolicLink(dir.resolve("link"), Path.of("../blobs/4d7a"));

        assertThatThrownBy(() -> SafetensorsFile.open(link))
                .isInstanceOf(SafetensorsException.class)
                .hasMessage(
                        link
                                + ": it links to ../blobs/4d7a, which does not exist;"
                                + " complete the download");
    }

    @Test
    void aSafetensorsFileIsNoneOfThem() throws Exception {
        Path file = dir.resolve("t.safetensors");
        new SafetensorsWriter().add("x", new long[] {1}, new float[1]).writeTo(file);

        assertThat(ForeignFile.kindOf(file)).isEmpty();
    }

    @Test
    void aTensorOfAnUnknownTypeMattersOnlyIfItIsRead() throws Exception {
        String header =
                "{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                        + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}";
        Path file = dir.resolve("t.safetensors");
        byte[] bytes = new byte[8 + header.length() + 12];
        bytes[0] = (byte) header.length();
        System.arraycopy(header.getBytes(StandardCharsets.US_ASCII), 0, bytes, 8, header.length());
        Files.write(file, bytes);

        try (SafetensorsFile open = SafetensorsFile.open(file)) {
            assertThat(open.names()).containsExactlyInAnyOrder("a", "b");
            assertThat(open.tensors()).containsOnlyKeys("b");
            assertThat(open.floats("b")).containsExactly(0);
            assertThat(open.typeName("a")).isEqualTo("C64");
            assertThatThrownBy(() -> open.floats("a"))
                    .isInstanceOf(SafetensorsException.class)
                    .hasMessageContaining("tensor a: dtype is C64; expected one of [F64, F32,");
        }
    }

    private void assertRefused(String content, String message) throws Exception {
        Path file = dir.resolve("model.safetensors");
        Files.write(file, content.getBytes(StandardCharsets.ISO_8859_1));

        assertThatThrownBy(() -> SafetensorsFile.open(file))
                .isInstanceOf(SafetensorsException.class)
                .hasMessageStartingWith(file + ": " + message);
    }
}
