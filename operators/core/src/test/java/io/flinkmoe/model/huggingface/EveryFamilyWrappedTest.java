// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.huggingface.DeclaredCheckpoint.Experts;
import io.flinkmoe.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * One set of weights gives the same bundle, byte for byte, in every form in which a checkpoint of a
 * family may be stored.
 */
class EveryFamilyWrappedTest {
    @TempDir Path dir;
    private int imports;

    static List<String> families() {
        return Families.get().all().stream()
                .filter(family -> family.refused() == null)
                .map(family -> family.modelTypes().get(0))
                .toList();
    }

    static Family family(String name) {
        return Families.get().all().stream()
                .filter(family -> family.modelTypes().get(0).equals(name))
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @MethodSource("families")
    void oneSetOfWeightsInEveryForm(String name) throws Exception {
        Family family = family(name);
        boolean canBeFused = DeclaredCheckpoint.canBeFused(family);
        BundleSpec plain = importBundle(write(DeclaredCheckpoint.of(family)));

        Experts fused = canBeFused ? Experts.FUSED : Experts.SEPARATE;
        PublishedCheckpoint inner = DeclaredCheckpoint.of(family, fused, 1);
        inner.rename(tensor -> "language_model." + tensor);
        ObjectNode config = inner.config.deepCopy();
        inner.config.removeAll();
        inner.config.put("model_type", "some_vision_language_model").set("text_config", config);
        assertSame(importBundle(write(inner)), plain, "fused, inside a larger model");

        Experts transposed = canBeFused ? Experts.TRANSPOSED : Experts.SEPARATE;
        PublishedCheckpoint shards = DeclaredCheckpoint.of(family, transposed, 2);
        Path folder = shards.writeShards(dir.resolve("shards"), 3);
        assertSame(importBundle(folder), plain, "transposed, in shards");
    }

    private Path write(PublishedCheckpoint checkpoint) throws Exception {
        return checkpoint.write(dir.resolve("checkpoint" + imports), DType.F32);
    }

    private BundleSpec importBundle(Path folder) throws Exception {
        imports++;
        return CheckpointImporter.importBundle(folder, null, null, dir.resolve("bundle" + imports))
                .spec();
    }

    private static void assertSame(BundleSpec found, BundleSpec expected, Object form) {
        assertThat(found.checksums()).as("%s", form).isEqualTo(expected.checksums());
        assertThat(found.layers()).as("%s", form).isEqualTo(expected.layers());
        assertThat(found.version()).as("%s", form).isEqualTo(expected.version());
    }
}
