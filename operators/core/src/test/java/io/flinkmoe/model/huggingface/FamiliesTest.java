// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The declarations, and what the documentation says of them. */
class FamiliesTest {
    private static final Path README = Path.of("..", "README.md");
    private static final Path CHECKPOINTS = Path.of("src", "test", "resources", "checkpoints");
    private static final Pattern KEY =
            Pattern.compile(
                    "\\| `([^`]+)` \\| (option|rejected|ignored) \\| `([^`]+)`: `([^`]+)` \\|");

    @TempDir Path dir;

    @Test
    void theReadmeListsEveryFamily() throws Exception {
        String table =
                CheckpointImporter.families().stream()
                        .map(FamiliesTest::row)
                        .collect(
                                Collectors.joining(
                                        "\n",
                                        "| model_type | models | import |\n|---|---|---|\n",
                                        "\n"));

        assertThat(Files.readString(README)).contains(table);
    }

    private static String row(SupportedFamily family) {
        String types =
                family.modelTypes().stream()
                        .map("`%s`"::formatted)
                        .collect(Collectors.joining(", "));
        String imported =
                !family.refused().isEmpty()
                        ? "no: " + family.refused()
                        : family.note().isEmpty() ? "yes" : "yes; " + family.note();
        return "| %s | %s | %s |".formatted(types, family.models(), imported);
    }

    @Test
    void noModelTypeIsDeclaredTwice() {
        Set<String> seen = new HashSet<>();
        for (Family family : Families.get().all()) {
            assertThat(family.models()).isNotBlank();
            for (String type : family.modelTypes()) {
                assertThat(seen.add(type)).as(type).isTrue();
            }
        }
        assertThat(seen).hasSizeGreaterThan(60);
    }

    record Key(String name, String effect, String checkpoint, JsonNode value) {}

    static List<Key> keys() throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        List<Key> keys = new java.util.ArrayList<>();
        Matcher row = KEY.matcher(Files.readString(README));
        while (row.find()) {
            JsonNode value = mapper.readTree(row.group(4));
            keys.add(new Key(row.group(1), row.group(2), row.group(3), value));
        }
        assertThat(keys).hasSizeGreaterThan(50);
        return keys;
    }

    @ParameterizedTest
    @MethodSource("keys")
    void aKeyHasTheEffectThatTheReadmeStates(Key key) throws Exception {
        Path folder = CHECKPOINTS.resolve(key.checkpoint);
        Path changed = Files.createDirectories(dir.resolve("checkpoint"));
        ObjectNode config =
                (ObjectNode) new ObjectMapper().readTree(folder.resolve("config.json").toFile());
        set(config, key.name, key.value);
        Files.writeString(changed.resolve("config.json"), config.toString());
        Files.createSymbolicLink(
                changed.resolve("model.safetensors"),
                folder.resolve("model.safetensors").toAbsolutePath());

        if (key.effect.equals("rejected")) {
            assertThatThrownBy(() -> version(changed, "changed"))
                    .isInstanceOf(CheckpointException.class);
        } else if (key.effect.equals("option")) {
            assertThat(version(changed, "changed")).isNotEqualTo(version(folder, "plain"));
        } else {
            assertThat(version(changed, "changed")).isEqualTo(version(folder, "plain"));
        }
    }

    private static void set(ObjectNode config, String key, JsonNode value) {
        String[] path = key.split("\\.");
        ObjectNode object = config;
        for (int i = 0; i < path.length - 1; i++) {
            object = (ObjectNode) object.get(path[i]);
        }
        object.set(path[path.length - 1], value);
    }

    private String version(Path folder, String name) throws IOException {
        return CheckpointImporter.importBundle(folder, null, null, dir.resolve(name))
                .spec()
                .version();
    }
}
