// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.machine;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.FileUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folder for all temporary files of this process: those that Flink, ONNX Runtime and other
 * libraries write to {@code java.io.tmpdir}. deploy/bin/moe creates the folder, because Java reads
 * that property before the program runs, and passes its path in {@code moe.tmp}. The folder is
 * removed when the process ends.
 *
 * <p>A process that is killed leaves its folder. The process holds a lock in it, so that a later
 * process knows whose process has ended, and removes it.
 */
@Internal
public final class TempFolder {

    static final String LOCK = ".flink-moe-process";

    /** The names that deploy/bin/moe gives. */
    private static final String NAMES = "flink-moe-????????";

    /** A folder without a lock belongs to a process that is starting, or was killed just then. */
    private static final Duration LONGEST_START = Duration.ofHours(1);

    private static final int MAX_ATTEMPTS = 10;

    /** Held until the process ends. */
    private static FileChannel lock;

    private TempFolder() {}

    /**
     * Marks the folder as used, removes those of killed processes, and removes this one when the
     * process ends.
     */
    public static void use() {
        String property = System.getProperty("moe.tmp");
        if (property == null) {
            return;
        }
        Path folder = Path.of(property).toAbsolutePath();
        Thread removal = new Thread(() -> remove(folder), "temp-folder-removal");
        Runtime.getRuntime().addShutdownHook(removal);
        try {
            lock = lock(folder);
            sweep(folder);
        } catch (IOException | DirectoryIteratorException e) {
            log().info("Folders of killed processes beside {} remain", folder, e);
        }
    }

    /**
     * Creates the lock file of a folder under another name and locks it there. Under its own name,
     * the sweep of another process could find it before it is locked.
     */
    static FileChannel lock(Path folder) throws IOException {
        Path unnamed = folder.resolve(LOCK + ".new");
        FileChannel channel =
                FileChannel.open(unnamed, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        channel.lock();
        Files.move(unnamed, folder.resolve(LOCK), StandardCopyOption.ATOMIC_MOVE);
        return channel;
    }

    /** The folder for files that outlive the process. */
    public static Path outer() {
        String folder = System.getProperty("moe.tmp");
        return folder == null
                ? Path.of(System.getProperty("java.io.tmpdir"))
                : Path.of(folder).toAbsolutePath().getParent();
    }

    /** Removes the folders of processes that have ended. Those of other users stay. */
    static void sweep(Path own) throws IOException {
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(own.getParent(), NAMES)) {
            for (Path folder : folders) {
                // Closing the lock file of this process would release its lock.
                if (!folder.equals(own)
                        && Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
                        && Files.getOwner(folder, LinkOption.NOFOLLOW_LINKS)
                                .equals(Files.getOwner(own))) {
                    removeIfUnused(folder);
                }
            }
        }
    }

    private static void removeIfUnused(Path folder) {
        Path lockFile = folder.resolve(LOCK);
        try {
            if (!Files.exists(lockFile, LinkOption.NOFOLLOW_LINKS)) {
                removeIfOld(folder);
                return;
            }
            try (FileChannel channel =
                    FileChannel.open(
                            lockFile, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)) {
                if (channel.tryLock() != null) {
                    removeContent(folder, lockFile);
                    FileUtils.deleteDirectory(folder.toFile());
                }
            }
        } catch (IOException | DirectoryIteratorException | OverlappingFileLockException e) {
            log().debug("{} remains", folder, e); // It was just removed, or there are no locks.
        }
    }

    /** Removes all but the lock, which the next sweep needs if this one is interrupted. */
    private static void removeContent(Path folder, Path lockFile) throws IOException {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            for (Path entry : entries) {
                if (!entry.equals(lockFile)) {
                    FileUtils.deleteFileOrDirectory(entry.toFile());
                }
            }
        }
    }

    private static void removeIfOld(Path folder) throws IOException {
        Instant changed = Files.getLastModifiedTime(folder).toInstant();
        if (changed.isBefore(Instant.now().minus(LONGEST_START))) {
            Files.delete(folder); // Fails if something is in it.
        }
    }

    /**
     * Removes the folder, repeatedly if necessary: a job that is being interrupted may still write
     * to it.
     */
    private static void remove(Path folder) {
        for (int i = 0; i < MAX_ATTEMPTS && Files.exists(folder); i++) {
            try {
                Thread.sleep(i == 0 ? 0 : 100);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
            FileUtils.deleteDirectoryQuietly(folder.toFile());
        }
    }

    /** Not a constant: the program sets the level of the log before the first logger exists. */
    private static Logger log() {
        return LoggerFactory.getLogger(TempFolder.class);
    }
}
