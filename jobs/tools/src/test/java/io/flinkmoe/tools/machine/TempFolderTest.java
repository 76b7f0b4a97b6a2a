// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which folders of other processes are removed. */
class TempFolderTest {

    private static final Duration OLD = Duration.ofHours(2);

    @TempDir private Path dir;

    @Test
    void theFolderOfAKilledProcessIsRemoved() throws Exception {
        Path dead = folder("flink-moe-aaaaaaaa", TempFolder.LOCK);
        Files.createDirectories(dead.resolve("flink-moe-bundle-1-2-0/bundle/layers"));

        sweep();

        assertThat(dead).doesNotExist();
    }

    @Test
    void theFolderOfAProcessThatRunsStays() throws Exception {
        Path used = folder("flink-moe-aaaaaaaa", TempFolder.LOCK, "file");
        age(used);

        try (FileChannel channel =
                FileChannel.open(used.resolve(TempFolder.LOCK), StandardOpenOption.WRITE)) {
            channel.lock();
            sweep();
        }

        assertThat(used.resolve("file")).exists();
    }

    @Test
    void theLockOfAFolderHasItsNameOnlyWhenItIsHeld() throws Exception {
        Path own = folder("flink-moe-aaaaaaaa", "file");
        try (FileChannel channel = TempFolder.lock(own)) {
            assertThat(own.resolve(TempFolder.LOCK)).exists();
            assertThat(own).isDirectoryNotContaining("glob:**.new");
            sweep();
        }
        assertThat(own.resolve("file")).exists();
    }

    @Test
    void anEmptyFolderIsRemovedWhenItsProcessCannotBeStartingAnyMore() throws Exception {
        Path starting = folder("flink-moe-aaaaaaaa");
        Path killed = folder("flink-moe-bbbbbbbb");
        age(killed);

        sweep();

        assertThat(starting).exists();
        assertThat(killed).doesNotExist();
    }

    @Test
    void foldersOfOthersStay() throws Exception {
        Path examples = folder("flink-moe-examples", "mine");
        Path demo = folder("flink-moe-demo-1234", TempFolder.LOCK);
        Path target = folder("elsewhere", TempFolder.LOCK);
        Path link = Files.createSymbolicLink(dir.resolve("flink-moe-aaaaaaaa"), target);
        age(examples);

        sweep();

        assertThat(examples.resolve("mine")).exists();
        assertThat(demo).exists();
        assertThat(link).exists();
        assertThat(target.resolve(TempFolder.LOCK)).exists();
    }

    private void sweep() throws IOException {
        TempFolder.sweep(folder("flink-moe-own-name", TempFolder.LOCK));
    }

    private Path folder(String name, String... files) throws IOException {
        Path folder = Files.createDirectories(dir.resolve(name));
        for (String file : files) {
            Files.createFile(folder.resolve(file));
        }
        return folder;
    }

    private static void age(Path folder) throws IOException {
        Files.setLastModifiedTime(folder, FileTime.from(Instant.now().minus(OLD)));
    }
}
