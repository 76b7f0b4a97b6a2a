// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.golden.GoldenCases;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What folders of downloaded checkpoints look like, complete or not. */
class CheckpointFolderTest {
    private static final String LFS_POINTER =
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4932307584\n";

    @TempDir Path dir;
    private PublishedCheckpoint published;

    @BeforeEach
    void openGoldenCase() throws Exception {
        published = GoldenCheckpoints.of(GoldenCases.ofSystems("mixtral").get(0));
    }

    @Test
    void aSnapshotOfTheHubsCacheIsLinks() throws Exception {
        Map<String, String> plain = checksums(published.writeShards(dir.resolve("plain"), 3));
        Path blobs = Files.createDirectories(dir.resolve("models--a--b/blobs"));
        Path snapshot = Files.createDirectories(dir.resolve("models--a--b/snapshots/0123"));
        try (Stream<Path> files = Files.list(dir.resolve("plain"))) {
            int number = 0;
            for (Path file : files.toList()) {
                Path blob = Files.move(file, blobs.resolve("blob" + number++));
                Files.createSymbolicLink(
                        snapshot.resolve(file.getFileName()), snapshot.relativize(blob));
            }
        }

        assertThat(checksums(snapshot)).isEqualTo(plain);
        assertRefused(
                dir.resolve("models--a--b"),
                "It is a folder of the hub's cache: pass one of the folders in its snapshots");
    }

    @Test
    void aLinkToAMissingBlobIsNamed() throws Exception {
        Path folder = published.write(dir.resolve("c"), DType.F32);
        Files.delete(folder.resolve("model.safetensors"));
        Files.createSymbolicLink(folder.resolve("model.safetensors"), Path.of("../../blobs/4d"));
        assertRefused(
                folder, "model.safetensors: it links to ../../blobs/4d, which does not exist");

        Files.delete(folder.resolve("config.json"));
        Files.createSymbolicLink(folder.resolve("config.json"), Path.of("../../blobs/4e"));
        assertRefused(folder, "config.json: it links to ../../blobs/4e, which does not exist");
    }

    @Test
    void otherFilesBesideTheIndexAreNotRead() throws Exception {
        Map<String, String> plain = checksums(published.writeShards(dir.resolve("plain"), 3));
        Path folder = published.writeShards(dir.resolve("c"), 3);
        Files.writeString(folder.resolve("consolidated.safetensors"), "other");
        Files.writeString(folder.resolve("consolidated.00.pth"), "other");
        Files.writeString(
                Files.createDirectories(folder.resolve("original")).resolve("model.safetensors"),
                "other");

        assertThat(checksums(folder)).isEqualTo(plain);
    }

    @Test
    void missingShardsAreNamedBeforeAnythingIsWritten() throws Exception {
        Path folder = published.writeShards(dir.resolve("c"), 4);
        Files.delete(folder.resolve("model-00002-of-00004.safetensors"));
        Files.delete(folder.resolve("model-00004-of-00004.safetensors"));
        long[] reports = new long[1];

        assertThatThrownBy(
                        () ->
                                CheckpointImporter.importBundle(
                                        folder,
                                        null,
                                        null,
                                        null,
                                        dir.resolve("out"),
                                        (written, total) -> reports[0]++))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining(
                        "missing are model-00002-of-00004.safetensors,"
                                + " model-00004-of-00004.safetensors: complete the download");
        assertThat(reports[0]).isZero();
        assertThat(dir.resolve("out")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"model.safetensors", "config.json"})
    void aPointerOfGitLfsIsNamed(String file) throws Exception {
        Path folder = published.write(dir.resolve("c"), DType.F32);
        Files.writeString(folder.resolve(file), LFS_POINTER);

        assertRefused(folder, file + ": it is a Git LFS pointer, not the file itself; run 'git");
    }

    @Test
    void aShardThatIsAPointerOfGitLfsIsNamed() throws Exception {
        Path folder = published.writeShards(dir.resolve("c"), 2);
        Files.writeString(folder.resolve("model-00002-of-00002.safetensors"), LFS_POINTER);

        assertRefused(folder, "model-00002-of-00002.safetensors: it is a Git LFS pointer");
    }

    @Test
    void anEncoderThatIsAPointerOfGitLfsIsNamed() throws Exception {
        Path folder = published.write(dir.resolve("c"), DType.F32);
        Path encoder = Files.writeString(dir.resolve("encoder.onnx"), LFS_POINTER);

        assertThatThrownBy(
                        () ->
                                CheckpointImporter.importBundle(
                                        folder, encoder, null, dir.resolve("out")))
                .isInstanceOf(BundleException.class)
                .hasMessageStartingWith(encoder + ": it is a Git LFS pointer");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "pytorch_model-00001-of-00002.bin|It contains PyTorch files (pytorch_model-0",
                "pytorch_model.bin|download the safetensors files, or convert with transformers",
                "consolidated.00.pth|consolidated.00.pth is Meta's own form, which cannot be",
                "model-00001-of-00002.safetensors.part|.part, an unfinished download: complete",
                "consolidated.safetensors|consolidated.safetensors is not the form of the Hugging",
                "model-00001-of-00002.safetensors|download the index of the shards, too",
                "model.onnx_data|It contains model.onnx_data, which cannot be imported",
                "m.Q4_K_M.gguf|It contains m.Q4_K_M.gguf, which cannot be imported",
                "README.md|expected one of them"
            })
    void aFolderWithoutSafetensorsSaysWhatItHas(String file, String message) throws Exception {
        Path folder = published.write(dir.resolve("c"), DType.F32);
        Files.delete(folder.resolve("model.safetensors"));
        Files.writeString(folder.resolve(file), "content");

        assertRefused(
                folder, "contains neither model.safetensors nor model.safetensors.index.json");
        assertRefused(folder, message);
    }

    @Test
    void aShardThatIsEmptyOrAFolderIsNamed() throws Exception {
        Path folder = published.writeShards(dir.resolve("c"), 2);
        Path shard = folder.resolve("model-00002-of-00002.safetensors");
        Files.write(shard, new byte[0]);
        assertRefused(folder, shard + ": it is empty; copy or download it again");

        Files.delete(shard);
        Files.createDirectory(shard);
        assertRefused(folder, shard + ": it is a folder; expected a file");
    }

    @Test
    void aNameOfTheHubMustBeDownloadedFirst() throws Exception {
        assertRefused(
                Path.of("mistralai/Mixtral-8x7B-v0.1"),
                "there is no such directory; pass the one that holds config.json. A model of the"
                        + " Hugging Face hub must be downloaded first: hf download"
                        + " mistralai/Mixtral-8x7B-v0.1 --local-dir DIR");
        Path file = Files.createFile(dir.resolve("file"));
        assertRefused(file, file + ": it is a file; expected a directory; pass the one that holds");
    }

    /** The experts of this sparse file would take 4 TB. */
    @Test
    void tooLittleSpaceIsSaidFirst() throws Exception {
        SparseCheckpoint checkpoint = new SparseCheckpoint(64, 1 << 18, 20_000);
        Path folder = checkpoint.fused(dir.resolve("c"), "BF16", false);

        assertRefused(folder, "out: the bundle needs 4,026,5");
        assertRefused(folder, "MB are free on the file system; free some space, choose another");
    }

    private Map<String, String> checksums(Path folder) throws IOException {
        Bundle bundle =
                CheckpointImporter.importBundle(
                        folder, null, null, Files.createTempDirectory(dir, "bundle"));
        return bundle.spec().checksums();
    }

    private void assertRefused(Path folder, String message) {
        assertThatThrownBy(
                        () ->
                                CheckpointImporter.importBundle(
                                        folder, null, null, dir.resolve("out")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(message);
        assertThat(dir.resolve("out")).doesNotExist();
    }
}
