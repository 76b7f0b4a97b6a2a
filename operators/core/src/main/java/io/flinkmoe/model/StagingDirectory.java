// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * A temporary directory for files that appear in their target together. If the target does not
 * exist, it is next to it and is renamed at the end. If the target is an empty directory, such as a
 * mount point, which cannot be replaced, it is inside, and its entries are moved at the end.
 *
 * <p>Nothing is left behind: the directory, and the parents that were created for it, are removed
 * when it is closed, and when the process is asked to end. What was there before stays. A process
 * that is killed leaves it, unlocked; the next writer to the same target removes it.
 */
@Internal
final class StagingDirectory implements AutoCloseable {
    private static final String NAME = ".incomplete";
    private static final String LOCK = ".lock";

    /** What a file system itself keeps in its root. */
    private static final String LOST_AND_FOUND = "lost+found";

    /** How often a removal is tried while another thread still creates a file. */
    private static final int MAX_REMOVALS = 5;

    private final Path target;
    private final Path directory;
    private final boolean inside;
    private final List<Path> createdParents;
    private final FileChannel lock;
    private final Thread hook = new Thread(this::interrupt, "remove-incomplete-bundle");

    /** Set when the process is asked to end. */
    private volatile boolean interrupted;

    /**
     * @throws BundleException if the target is not empty, or another process writes it
     */
    StagingDirectory(Path target) throws IOException {
        this.target = target;
        this.inside = Files.isDirectory(target);
        this.directory =
                inside
                        ? target.resolve(NAME)
                        : target.resolveSibling("." + target.getFileName() + NAME);
        requireEmptyTarget();
        this.createdParents = missingParents();
        try {
            Files.createDirectories(directory);
        } catch (FileSystemException e) {
            removeCreatedParents();
            throw new BundleException(
                    target,
                    "its folder cannot be created: %s; choose another directory"
                            .formatted(FileErrors.reason(e)),
                    e);
        }
        this.lock = lock();
        try {
            removeContents(directory.resolve(LOCK)); // left by a process that was killed
            Runtime.getRuntime().addShutdownHook(hook);
        } catch (IOException | RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    /** The bytes that can still be written. */
    long usableSpace() throws IOException {
        return Files.getFileStore(directory).getUsableSpace();
    }

    Path resolve(String relative) {
        return directory.resolve(relative);
    }

    /** A new file, in a new folder if need be. */
    synchronized OutputStream create(String relative) throws IOException {
        requireRunning();
        Path file = directory.resolve(relative);
        Files.createDirectories(file.getParent());
        OutputStream out = Files.newOutputStream(file, StandardOpenOption.CREATE_NEW);
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int from, int count) throws IOException {
                requireRunning();
                out.write(bytes, from, count);
            }

            @Override
            public void close() throws IOException {
                out.close();
            }
        };
    }

    /**
     * Moves everything to the target.
     *
     * @param last the entry that makes the target complete; it is moved last
     */
    synchronized void publish(String last) throws IOException {
        requireRunning();
        requireEmptyTarget();
        lock.close();
        Files.delete(directory.resolve(LOCK));
        if (!inside) {
            Files.deleteIfExists(target);
            Files.move(directory, target);
            createdParents.clear();
            return;
        }
        List<Path> moved = new ArrayList<>();
        try {
            for (Path entry : entries(last)) {
                moved.add(Files.move(entry, target.resolve(entry.getFileName())));
            }
        } catch (IOException e) {
            for (Path entry : moved) {
                removeTree(entry);
            }
            throw e;
        }
        createdParents.clear();
        Files.delete(directory);
    }

    /** The entries of the directory, the given one last. */
    private List<Path> entries(String last) throws IOException {
        Comparator<Path> isLast = Comparator.comparing(path -> path.endsWith(last));
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.sorted(isLast).toList();
        }
    }

    /** Removes the directory, unless {@link #publish} has moved it. */
    @Override
    public synchronized void close() throws IOException {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) { // The process ends: the hook runs, too.
            interrupted = true;
        }
        remove();
    }

    /** The process ends: the writer stops at its next block, then its files are removed. */
    private void interrupt() {
        interrupted = true;
        try {
            remove();
        } catch (IOException e) { // The next writer removes what is left.
            return;
        }
    }

    private synchronized void remove() throws IOException {
        lock.close();
        for (int i = 1; ; i++) {
            try {
                removeTree(directory);
                break;
            } catch (FileSystemException e) { // A check of the models may still write its record.
                if (i == MAX_REMOVALS) {
                    throw e;
                }
            }
        }
        removeCreatedParents();
    }

    /** The parents of the target that do not exist, the innermost first. */
    private List<Path> missingParents() {
        List<Path> missing = new ArrayList<>();
        for (Path parent = target.getParent();
                parent != null && !Files.exists(parent, LinkOption.NOFOLLOW_LINKS);
                parent = parent.getParent()) {
            missing.add(parent);
        }
        return missing;
    }

    /** Removes them unless something else is in them by now. */
    private void removeCreatedParents() {
        for (Path parent : createdParents) {
            try {
                Files.deleteIfExists(parent);
            } catch (IOException e) {
                return;
            }
        }
    }

    /**
     * Checks that the files are not being removed.
     *
     * @throws InterruptedIOException if the process was asked to end
     */
    void requireRunning() throws InterruptedIOException {
        if (interrupted) {
            throw new InterruptedIOException("the process was asked to end");
        }
    }

    private FileChannel lock() throws IOException {
        FileChannel channel =
                FileChannel.open(
                        directory.resolve(LOCK),
                        StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE);
        boolean mine;
        try {
            mine = channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            mine = false;
        } catch (IOException e) { // Some file systems have no locks.
            mine = true;
        }
        if (!mine) {
            channel.close();
            throw new BundleException(
                    target,
                    "another import is writing it; wait for it or choose another directory");
        }
        return channel;
    }

    private void requireEmptyTarget() throws IOException {
        if (!Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (!Files.exists(target)) {
            throw new BundleException(
                    target,
                    "it links to %s, which does not exist; create that directory or remove the link"
                            .formatted(Files.readSymbolicLink(target)));
        }
        if (!Files.isDirectory(target)) {
            throw new BundleException(target, "it is a file; expected a directory for the bundle");
        }
        try (Stream<Path> entries = Files.list(target)) {
            if (entries.map(entry -> entry.getFileName().toString())
                    .anyMatch(name -> !name.equals(NAME) && !name.equals(LOST_AND_FOUND))) {
                throw new BundleException(
                        target, "the directory is not empty; remove it or choose another one");
            }
        }
    }

    private void removeContents(Path kept) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            for (Path entry : entries.toList()) {
                if (!entry.equals(kept)) {
                    removeTree(entry);
                }
            }
        }
    }

    private static void removeTree(Path root) throws IOException {
        try (Stream<Path> tree = Files.walk(root)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        } catch (NoSuchFileException e) {
            return; // It was never created, or is gone already.
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }
}
