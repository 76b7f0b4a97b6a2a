// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.model.graph.RouterGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BundleWriterTest {
    private static final int D = 2;

    @TempDir Path dir;

    @Test
    void equalFilesGiveAnEqualVersionAndOtherFilesAnother() throws Exception {
        assertThat(write("a", 1).spec().version()).isEqualTo(write("b", 1).spec().version());
        assertThat(write("c", 2).spec().version()).isNotEqualTo(write("d", 3).spec().version());
    }

    @Test
    void fillsAnEmptyDirectory() throws Exception {
        Files.createDirectory(dir.resolve("a"));

        assertThat(write("a", 1).file("router.onnx")).exists();
    }

    @Test
    void refusesATargetThatIsTaken() throws Exception {
        write("a", 1);
        assertThatThrownBy(() -> write("a", 1))
                .isInstanceOf(BundleException.class)
                .hasMessageEndingWith(
                        "a: the directory is not empty; remove it or choose another one");

        Files.createFile(dir.resolve("b"));
        assertThatThrownBy(() -> write("b", 1))
                .hasMessageEndingWith("b: it is a file; expected a directory for the bundle");
    }

    @Test
    void saysWhenThereIsTooLittleSpace() throws Exception {
        try (BundleWriter writer = new BundleWriter(dir.resolve("a"))) {
            writer.requireSpace(1);
            assertThatThrownBy(() -> writer.requireSpace(9_000_000_000_000_000_001L))
                    .isInstanceOf(BundleException.class)
                    .hasMessageStartingWith(
                            dir.resolve("a") + ": the bundle needs 9,000,000,000,001 MB, but ")
                    .hasMessageContaining(" MB are free on the file system; ");
        }
    }

    @Test
    void countsTheBytesThatItWrites() throws Exception {
        long[] sum = new long[1];
        try (BundleWriter writer = new BundleWriter(dir.resolve("a"), bytes -> sum[0] += bytes)) {
            Files.write(dir.resolve("source"), new byte[100_000]);
            writer.copy("x", dir.resolve("source"));
            writer.add("y", new byte[7]);
        }

        assertThat(sum[0]).isEqualTo(100_007);
    }

    @Test
    void leavesNothingBehindUnlessItFinishes() throws Exception {
        try (BundleWriter writer = new BundleWriter(dir.resolve("deep/a"))) {
            writer.add("layers/0/router.onnx", new byte[3]);
            assertThat(entries(dir.resolve("deep"))).hasSize(1);
        }

        assertThat(entries(dir)).isEmpty();
    }

    @Test
    void theBundleAppearsAfterItsInspectionWithWhatThatAdds() throws Exception {
        try (BundleWriter writer = writer("a", 1)) {
            finish(
                    writer,
                    bundle -> {
                        assertThat(bundle.file("model.json")).exists();
                        assertThat(dir.resolve("a")).doesNotExist();
                        Files.createFile(bundle.file("record"));
                    });
        }

        assertThat(dir.resolve("a/record")).exists();
        assertThat(dir.resolve("a/model.json")).exists();
    }

    @Test
    void aFailedInspectionLeavesNothingAndNamesFilesBelowTheTarget() throws Exception {
        Files.createDirectories(dir.resolve("mount/lost+found/x"));
        for (String target : List.of("mount", "new/bundle")) {
            assertThatThrownBy(
                            () -> {
                                try (BundleWriter writer = writer(target, 1)) {
                                    finish(writer, BundleWriterTest::refuse);
                                }
                            })
                    .isInstanceOf(BundleException.class)
                    .hasMessage(dir.resolve(target) + ": router.onnx: too new");
        }

        assertThat(entries(dir)).containsExactly(dir.resolve("mount"));
        assertThat(entries(dir.resolve("mount"))).containsExactly(dir.resolve("mount/lost+found"));
        assertThat(dir.resolve("mount/lost+found/x")).exists();
    }

    private static void refuse(Bundle bundle) throws IOException {
        throw new BundleException(bundle.file("router.onnx"), "too new");
    }

    @Test
    void movesNothingIntoPlaceThatCannotBeRead() throws Exception {
        assertThatThrownBy(
                        () -> {
                            try (BundleWriter writer = new BundleWriter(dir.resolve("a"))) {
                                writer.add("router.onnx", new byte[3]);
                                finish(writer);
                            }
                        })
                .isInstanceOf(BundleException.class)
                .hasMessageContaining("router.onnx: it is not an ONNX model");

        assertThat(entries(dir)).isEmpty();
    }

    @Test
    void refusesAFileTwiceAndPathsThatLeave() throws Exception {
        try (BundleWriter writer = new BundleWriter(dir.resolve("a"))) {
            writer.add("x", new byte[1]);
            assertThatThrownBy(() -> writer.add("x", new byte[1]))
                    .hasMessageContaining("file x is already in the bundle");
            assertThatThrownBy(() -> writer.add("model.json", new byte[1]))
                    .hasMessageContaining("file model.json is already in the bundle");
            assertThatThrownBy(() -> writer.add("../x", new byte[1]))
                    .hasMessageContaining("file is '../x'; expected a path inside");
        }
    }

    private Bundle write(String name, float weight) throws IOException {
        try (BundleWriter writer = writer(name, weight)) {
            return finish(writer);
        }
    }

    private BundleWriter writer(String name, float weight) throws IOException {
        BundleWriter writer = new BundleWriter(dir.resolve(name));
        writer.add("router.onnx", RouterGraphs.linear(new float[] {weight, 0}, 1, D));
        return writer;
    }

    /** Adds one expert, which is also the shared one, and finishes. */
    private static Bundle finish(BundleWriter writer) throws IOException {
        return finish(writer, bundle -> {});
    }

    private static Bundle finish(BundleWriter writer, BundleWriter.Inspection inspection)
            throws IOException {
        float[] square = new float[D * D];
        writer.add("expert.onnx", RouterGraphs.linear(square, D, D));
        LayerSpec layer =
                LayerSpec.oneGate(
                                D,
                                "router.onnx",
                                RoutingConfig.mixtral(1, 1),
                                List.of("expert.onnx"))
                        .withSharedExperts(List.of("expert.onnx"))
                        .withResidual(ResidualKind.NONE);
        return writer.finish(
                (version, checksums) ->
                        new BundleSpec(
                                BundleSpec.FORMAT_VERSION,
                                "b",
                                version,
                                D,
                                D,
                                null,
                                null,
                                List.of(layer),
                                checksums),
                inspection);
    }

    private static List<Path> entries(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.toList();
        }
    }
}
