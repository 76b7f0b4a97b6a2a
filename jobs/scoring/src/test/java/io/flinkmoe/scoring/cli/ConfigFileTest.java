// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_16;
import static java.nio.charset.StandardCharsets.UTF_16BE;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigFileTest {

    @TempDir private Path folder;

    private Map<String, String> read(String yaml) throws IOException {
        return ConfigFile.read(Files.writeString(folder.resolve("job.yaml"), yaml));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0123",
                "1.10",
                "0x1F",
                "0o17",
                "1_000",
                "1e3",
                "1.",
                ".5",
                "+7",
                "-0",
                "12:30:45",
                "123456789012345678901234567890",
                "2026-11-30",
                ".inf",
                "True",
                "FALSE",
                "yes",
                "off"
            })
    void plainValuesAreTextsAsWritten(String value) throws IOException {
        assertThat(read("topic: " + value + "\nlist: [" + value + ", b]"))
                .containsEntry("topic", value)
                .containsEntry("list", value + ";b");
    }

    @Test
    void quotedAndFoldedTextsAreRead() throws IOException {
        assertThat(read("a: '0123'\nb: \"x\\ty\"\nc: >\n  one\n  two\nd: ''\n"))
                .containsEntry("a", "0123")
                .containsEntry("b", "x\ty")
                .containsEntry("c", "one two\n")
                .containsEntry("d", "");
    }

    @Test
    void keysAreAlsoAsWritten() throws IOException {
        assertThat(read("a:\n  010: x\n  1.10: y\n"))
                .isEqualTo(Map.of("a.010", "x", "a.1.10", "y"));
    }

    @Test
    void emptyValuesAreNotSet() throws IOException {
        assertThat(read("a:\nb: ~\nc: null\n")).isEmpty();
        assertThat(read("")).isEmpty();
        assertThat(read("# nothing\n")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"a: &x 0123\nb: *x\n", "a: &x\n  c: d\nb: *x\n", "a: &x 1\nb: [*x]"})
    void aliasIsRefusedAndNotTakenForAText(String yaml) {
        assertThatThrownBy(() -> read(yaml))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("where the value of b begins with *; put it in quotes");
    }

    @Test
    void keysThatAreThereTwiceAreRefused() {
        assertThatThrownBy(() -> read("a: 1\na: 2\n")).hasMessageContaining("a");
        assertThatThrownBy(() -> read("a.b: 1\na:\n  b: 2\n")).hasMessageContaining("a.b twice");
    }

    @Test
    void whatHasNoKeysIsRefused() {
        assertThatThrownBy(() -> read("- a\n")).hasMessageContaining("must contain keys");
        assertThatThrownBy(() -> read("0123\n")).hasMessageContaining("must contain keys");
        assertThatThrownBy(() -> read("a: [[b]]\n")).hasMessageContaining("list of plain values");
        assertThatThrownBy(() -> read("a: [b\n")).hasMessageContaining("not valid YAML");
    }

    @Test
    void aTabIsNamed() {
        assertThatThrownBy(() -> read("moe:\n\tbundle: secret\n"))
                .hasMessageContaining("; line 2 is indented with a tab: use spaces")
                .hasMessageNotContaining("secret");
    }

    @Test
    void anotherEncodingIsNamed() throws IOException {
        Path file = folder.resolve("config.yaml");
        for (Charset charset : List.of(UTF_16, UTF_16LE, UTF_16BE)) {
            Files.writeString(file, "moe.bundle: x", charset);
            assertThatThrownBy(() -> ConfigFile.read(file))
                    .isInstanceOf(IllegalConfigurationException.class)
                    .hasMessage(file + " is not text in UTF-8, but in UTF-16; save it as UTF-8");
        }
        Files.writeString(file, "moe.bundle: \u00fc", ISO_8859_1);
        assertThatThrownBy(() -> ConfigFile.read(file))
                .hasMessage(file + " is not text in UTF-8; save it as UTF-8");
    }

    @Test
    void aFolderIsNotCalledMissing() {
        assertThatThrownBy(() -> ConfigFile.read(folder))
                .hasMessage("--config is '%s'; it is a folder; expected a file", folder);
    }
}
