// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/**
 * Imports tensors of real size, from sparse files, in a JVM whose heap is smaller than one expert:
 * an expert of Mixtral 8x7B takes 704 MB in a bundle, and one matrix 235 MB.
 */
@Tag("slow")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class LargeImportIT {
    private static final SparseCheckpoint MIXTRAL_8X7B = new SparseCheckpoint(4096, 14_336, 1);

    /** Its gate_up_proj has 3 GiB in float64, and the bundle 2.25 GiB. */
    private static final SparseCheckpoint FUSED = new SparseCheckpoint(2048, 7168, 14);

    @TempDir(cleanup = CleanupMode.ALWAYS)
    Path dir;

    /** Imports from the first directory to the second. */
    public static final class Main {
        private Main() {}

        public static void main(String[] args) throws IOException {
            try {
                CheckpointImporter.importBundle(Path.of(args[0]), null, null, Path.of(args[1]));
            } catch (InterruptedIOException e) { // As a signal asked; it decides the exit code.
                System.err.println(e.getMessage());
            }
        }
    }

    @Test
    void anExpertOfMixtral8x7b() throws Exception {
        Path checkpoint = MIXTRAL_8X7B.single(dir.resolve("c"), "BF16");

        Process importer = start(checkpoint, dir.resolve("bundle"));

        assertThat(importer.waitFor()).isZero();
        assertThat(Files.size(dir.resolve("bundle/layers/0/experts/0.onnx")))
                .isGreaterThan(3L * 4096 * 14_336 * 4);
    }

    @Test
    void anExpertOfMixtral8x7bInFp8() throws Exception {
        Path checkpoint = MIXTRAL_8X7B.fp8(dir.resolve("c"));

        Process importer = start(checkpoint, dir.resolve("bundle"));

        assertThat(importer.waitFor()).isZero();
        assertThat(Files.size(dir.resolve("bundle/layers/0/experts/0.onnx")))
                .isGreaterThan(3L * 4096 * 14_336 * 4);
    }

    @Test
    void fusedTensorsOfThreeGigabytesInBothOrientations() throws Exception {
        Map<String, String> plain = importFused(false);

        assertThat(importFused(true)).isEqualTo(plain);
        assertThat(plain.get("layers/0/experts/12.onnx"))
                .isEqualTo(plain.get("layers/0/experts/0.onnx"));
        assertThat(plain.get("layers/0/experts/13.onnx"))
                .isNotEqualTo(plain.get("layers/0/experts/0.onnx"));
    }

    /** The last expert, whose weights are beyond 2 GiB, has some that are not zero. */
    private Map<String, String> importFused(boolean transposed) throws Exception {
        Path checkpoint = FUSED.fused(dir.resolve("c" + transposed), "F64", transposed);
        FUSED.set(checkpoint, transposed, 13, 0, 0, 0);
        FUSED.set(checkpoint, transposed, 13, 0, 7167, 2046);
        FUSED.set(checkpoint, transposed, 13, 1, 5000, 1);
        FUSED.set(checkpoint, transposed, 13, 2, 2047, 7167);
        FUSED.set(checkpoint, transposed, 13, 2, 3, 4097);
        Path output = dir.resolve("bundle" + transposed);

        assertThat(start(checkpoint, output).waitFor()).isZero();

        Map<String, String> checksums = new TreeMap<>();
        new ObjectMapper()
                .readTree(output.resolve("model.json").toFile())
                .get("checksums")
                .properties()
                .forEach(file -> checksums.put(file.getKey(), file.getValue().asText()));
        assertThat(beginsWithOne(output)).isTrue();
        remove(output);
        return checksums;
    }

    /** Whether the first weight in the file of the last expert is the 1 that was set. */
    private static boolean beginsWithOne(Path bundle) throws IOException {
        byte[] start = new byte[1024];
        try (InputStream in = Files.newInputStream(bundle.resolve("layers/0/experts/13.onnx"))) {
            in.readNBytes(start, 0, start.length);
        }
        int nonZero = start.length - 1;
        while (start[nonZero] == 0) {
            nonZero--;
        }
        // Little endian 1.0f: 00 00 80 3f, which only zeros follow. The name stands before it.
        return start[nonZero] == 0x3f
                && start[nonZero - 1] == (byte) 0x80
                && new String(start, 0, nonZero, StandardCharsets.ISO_8859_1).contains("w1.weight");
    }

    @Test
    void anImportThatIsAskedToEndLeavesNothing() throws Exception {
        Path checkpoint = MIXTRAL_8X7B.single(dir.resolve("c"), "BF16");
        for (Path output :
                List.of(dir.resolve("new"), Files.createDirectory(dir.resolve("mount")))) {
            Process importer = start(checkpoint, output);
            awaitFirstBytes();

            importer.destroy();

            assertThat(importer.waitFor()).isNotZero();
            assertThat(incomplete()).isEmpty();
        }
        assertThat(dir.resolve("new")).doesNotExist();
        assertThat(dir.resolve("mount")).isEmptyDirectory();
    }

    @Test
    void anImportThatWasKilledIsReplacedByTheNext() throws Exception {
        Path checkpoint = MIXTRAL_8X7B.single(dir.resolve("c"), "BF16");
        Path output = dir.resolve("bundle");
        Process importer = start(checkpoint, output);
        awaitFirstBytes();

        importer.destroyForcibly().waitFor();

        assertThat(incomplete()).isNotEmpty();
        assertThat(start(checkpoint, output).waitFor()).isZero();
        assertThat(incomplete()).isEmpty();
        assertThat(output.resolve("model.json")).exists();
    }

    private static Process start(Path checkpoint, Path output) throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx512m",
                        "-cp",
                        System.getProperty(
                                "surefire.test.class.path", System.getProperty("java.class.path")),
                        Main.class.getName(),
                        checkpoint.toString(),
                        output.toString())
                .inheritIO()
                .start();
    }

    /** Waits until an expert is being written. */
    private void awaitFirstBytes() throws Exception {
        while (incomplete().stream().noneMatch(LargeImportIT::hasBytes)) {
            Thread.sleep(5);
        }
    }

    private static boolean hasBytes(Path directory) {
        return directory.resolve("layers/0/experts/0.onnx").toFile().length() > 0;
    }

    private List<Path> incomplete() throws IOException {
        try (Stream<Path> tree = Files.walk(dir, 2)) {
            return tree.filter(path -> path.getFileName().toString().endsWith(".incomplete"))
                    .toList();
        }
    }

    private static void remove(Path directory) throws IOException {
        try (Stream<Path> tree = Files.walk(directory)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
