// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The declarations, and what the documentation says of them. */
class FamiliesTest {
    private static final Path README = Path.of("..", "README.md");
    private static final Path CHECKPOINTS = Path.of("src", "test", "resources", "checkpoints");
    private static final Pattern KEY =
            Pattern.compile(
                    "\\| `([^`]+)` \\| (option|rejected|ignored|job) \\| `([^`]+)`: `([^`]+)` \\|");

    /** The versions of the bundles of unchanged checkpoints. */
    private static final Map<String, String> VERSIONS = new ConcurrentHashMap<>();

    @TempDir Path dir;
    private int changes;
    private int bundles;

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
        List<Key> keys = new ArrayList<>();
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
        Path folder = folder(key.checkpoint);
        Path changed = changed(folder, key.name, key.value);

        if (key.effect.equals("rejected")) {
            assertThatThrownBy(() -> version(changed)).isInstanceOf(CheckpointException.class);
        } else if (key.effect.equals("option")) {
            assertThat(version(changed)).isNotEqualTo(plain(folder, key.checkpoint));
        } else {
            assertThat(version(changed)).isEqualTo(plain(folder, key.checkpoint));
        }
    }

    @Test
    void theReadmeHasEveryKeyThatAFamilyDeclares() throws Exception {
        Set<String> declared = new TreeSet<>();
        for (Family family : Families.get().all()) {
            if (family.refused() == null) {
                addKeys(new ObjectMapper().valueToTree(family), declared);
                declared.addAll(family.requires().keySet());
            }
        }
        // Those of a layer of full attention are tried below.
        declared.removeAll(Set.of("full_attn_alpha_factor", "layernorm_full_attention_alpha"));

        assertThat(declared).hasSizeGreaterThan(60).contains("moe_renormalize", "score_func");
        assertThat(keys().stream().map(Key::name).toList()).containsAll(declared);
    }

    /** Adds the keys of all settings. */
    private static void addKeys(JsonNode node, Set<String> keys) {
        if (node.has("keys") && node.has("defaultValue")) {
            node.get("keys").forEach(key -> keys.add(key.asText()));
        } else {
            node.forEach(child -> addKeys(child, keys));
        }
    }

    @Test
    void theScaleOfFullAttention() throws Exception {
        Path folder = folder("minimax");
        JsonNode types = new ObjectMapper().readTree("[\"full_attention\"]");
        Path full = changed(folder, "layer_types", types);
        for (String key : List.of("full_attn_alpha_factor", "layernorm_full_attention_alpha")) {
            assertThat(version(changed(full, key, new IntNode(3)))).isNotEqualTo(version(full));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "kimi_linear, moe_renormalize, true, norm_topk_prob, false",
        "bailing_hybrid, num_experts_per_token, 2, num_experts_per_tok, 3",
        "bailing_hybrid, num_expert_group, 2, n_group, 1",
        "minimax, mlp_alpha_factor, 2, layernorm_mlp_alpha, 3",
    })
    void twoSpellingsOfAKeyMustAgree(
            String checkpoint, String key, String value, String spelling, String other)
            throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        Path one = changed(folder(checkpoint), key, mapper.readTree(value));

        assertThat(version(changed(one, spelling, mapper.readTree(value)))).isEqualTo(version(one));
        assertThatThrownBy(() -> version(changed(one, spelling, mapper.readTree(other))))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining(
                        "%s is %s; expected %s, as %s says", spelling, other, value, key);
    }

    /** A folder of the resources, or a checkpoint as a family declares it. */
    private Path folder(String checkpoint) throws IOException {
        Path folder = CHECKPOINTS.resolve(checkpoint);
        return Files.isDirectory(folder)
                ? folder
                : DeclaredCheckpoint.of(EveryFamilyWrappedTest.family(checkpoint))
                        .write(dir.resolve("declared"), DType.F32);
    }

    /** The same checkpoint with another value of a key. */
    private Path changed(Path folder, String key, JsonNode value) throws IOException {
        Path changed = Files.createDirectories(dir.resolve("changed" + changes++));
        ObjectNode config =
                (ObjectNode) new ObjectMapper().readTree(folder.resolve("config.json").toFile());
        set(config, key, value);
        Files.writeString(changed.resolve("config.json"), config.toString());
        Files.copy(folder.resolve("model.safetensors"), changed.resolve("model.safetensors"));
        return changed;
    }

    private static void set(ObjectNode config, String key, JsonNode value) {
        String[] path = key.split("\\.");
        ObjectNode object = config;
        for (int i = 0; i < path.length - 1; i++) {
            object = (ObjectNode) object.get(path[i]);
        }
        object.set(path[path.length - 1], value);
    }

    private String plain(Path folder, String checkpoint) throws IOException {
        String known = VERSIONS.get(checkpoint);
        String version = known == null ? version(folder) : known;
        VERSIONS.put(checkpoint, version);
        return version;
    }

    private String version(Path folder) throws IOException {
        return CheckpointImporter.importBundle(
                        folder, null, null, dir.resolve("bundle" + bundles++))
                .spec()
                .version();
    }
}
