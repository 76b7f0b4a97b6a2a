// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where files are before they are complete, and what is left behind. */
class StagingDirectoryTest {
    @TempDir Path dir;

    @Test
    void aTargetThatDoesNotExistAppearsAtOnce() throws Exception {
        Path target = dir.resolve("bundle");
        try (StagingDirectory staging = new StagingDirectory(target)) {
            write(staging, "layers/0/a");
            assertThat(target).doesNotExist();
            write(staging, "model.json");
            staging.publish("model.json");
        }

        assertThat(tree(target)).containsExactly("layers/0/a", "model.json");
        assertThat(names(dir)).containsExactly("bundle");
    }

    /** A mount point can be neither renamed nor removed. */
    @Test
    void anEmptyTargetIsFilledAndNeverReplaced() throws Exception {
        Path target = Files.createDirectory(dir.resolve("mount"));
        Object identity = identity(target);
        try (StagingDirectory staging = new StagingDirectory(target)) {
            write(staging, "layers/0/a");
            write(staging, "model.json");
            assertThat(names(target)).containsExactly(".incomplete");
            assertThat(names(dir)).containsExactly("mount");
            staging.publish("model.json");
        }

        assertThat(identity(target)).isEqualTo(identity);
        assertThat(tree(target)).containsExactly("layers/0/a", "model.json");
        assertThat(names(dir)).containsExactly("mount");
    }

    @Test
    void anEmptyTargetIsEmptyAgainAfterAFailure() throws Exception {
        Path target = Files.createDirectory(dir.resolve("mount"));
        try (StagingDirectory staging = new StagingDirectory(target)) {
            write(staging, "layers/0/a");
        }

        assertThat(target).isEmptyDirectory();
    }

    @Test
    void theRootOfAFileSystemCountsAsEmpty() throws Exception {
        Path target = dir.resolve("mount");
        Files.createDirectories(target.resolve("lost+found"));
        try (StagingDirectory staging = new StagingDirectory(target)) {
            write(staging, "model.json");
            staging.publish("model.json");
        }

        assertThat(names(target)).containsExactly("lost+found", "model.json");
    }

    @Test
    void aFailureLeavesWhatWasThereAndNoParentOfItsOwn() throws Exception {
        Path mount = dir.resolve("mount");
        Files.createDirectories(mount.resolve("lost+found"));
        Files.writeString(mount.resolve("lost+found/x"), "x");
        Path link = Files.createSymbolicLink(dir.resolve("link"), mount);
        for (Path target : List.of(mount, link, dir.resolve("a/b/c"))) {
            try (StagingDirectory staging = new StagingDirectory(target)) {
                write(staging, "layers/0/a");
            }
        }

        assertThat(tree(mount)).containsExactly("lost+found/x");
        assertThat(link).isSymbolicLink();
        assertThat(names(dir)).containsExactly("link", "mount");
    }

    @Test
    void aLinkToNothingIsRefusedAndStays() throws Exception {
        Path link = Files.createSymbolicLink(dir.resolve("bundle"), dir.resolve("gone"));

        assertThatThrownBy(() -> new StagingDirectory(link))
                .isInstanceOf(BundleException.class)
                .hasMessageEndingWith(
                        "bundle: it links to %s, which does not exist; create that directory or"
                                + " remove the link",
                        dir.resolve("gone"));
        assertThat(link).isSymbolicLink();
        assertThat(names(dir)).containsExactly("bundle");
    }

    @Test
    void aFolderThatCannotBeCreatedIsNamedWithTheReason() throws Exception {
        Path file = Files.createFile(dir.resolve("file"));

        assertThatThrownBy(() -> new StagingDirectory(file.resolve("bundle")))
                .isInstanceOf(BundleException.class)
                .hasMessageStartingWith(file.resolve("bundle") + ": its folder cannot be created: ")
                .hasMessageEndingWith("; choose another directory");
        assertThat(names(dir)).containsExactly("file");
    }

    /** What a killed process leaves is not locked. */
    @Test
    void theNextWriterRemovesWhatAKilledOneLeft() throws Exception {
        Path mount = Files.createDirectory(dir.resolve("mount"));
        for (Path left : List.of(dir.resolve(".bundle.incomplete"), mount.resolve(".incomplete"))) {
            Files.createDirectories(left.resolve("layers/0"));
            Files.writeString(left.resolve("layers/0/old"), "old");
            Files.createFile(left.resolve(".lock"));
        }
        for (Path target : List.of(dir.resolve("bundle"), mount)) {
            try (StagingDirectory staging = new StagingDirectory(target)) {
                write(staging, "model.json");
                staging.publish("model.json");
            }
            assertThat(tree(target)).containsExactly("model.json");
        }
        assertThat(names(dir)).containsExactly("bundle", "mount");
    }

    @Test
    void aSecondWriterToTheSameTargetIsRefused() throws Exception {
        Path target = dir.resolve("bundle");
        try (StagingDirectory staging = new StagingDirectory(target)) {
            write(staging, "a");
            assertThatThrownBy(() -> new StagingDirectory(target))
                    .isInstanceOf(BundleException.class)
                    .hasMessageEndingWith(
                            "bundle: another import is writing it; wait for it or choose another"
                                    + " directory");
            assertThat(staging.resolve("a")).exists();
        }
    }

    @Test
    void aTargetThatWasFilledMeanwhileIsLeftAlone() throws Exception {
        for (boolean exists : new boolean[] {false, true}) {
            Path target = dir.resolve("bundle" + exists);
            if (exists) {
                Files.createDirectory(target);
            }
            try (StagingDirectory staging = new StagingDirectory(target)) {
                write(staging, "model.json");
                Files.createDirectories(target);
                Files.writeString(target.resolve("other"), "other");
                assertThatThrownBy(() -> staging.publish("model.json"))
                        .isInstanceOf(BundleException.class)
                        .hasMessageContaining("the directory is not empty");
            }
            assertThat(tree(target)).containsExactly("other");
        }
    }

    private static void write(StagingDirectory staging, String file) throws IOException {
        try (OutputStream out = staging.create(file)) {
            out.write(new byte[] {1, 2, 3});
        }
    }

    private static Object identity(Path directory) throws IOException {
        return Files.readAttributes(directory, BasicFileAttributes.class).fileKey();
    }

    private static List<String> names(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }

    private static List<String> tree(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.filter(Files::isRegularFile)
                    .map(path -> directory.relativize(path).toString())
                    .sorted()
                    .toList();
        }
    }
}
