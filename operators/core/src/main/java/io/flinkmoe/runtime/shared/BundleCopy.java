// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.util.FileUtils;
import org.apache.flink.util.IOUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A copy of a remote bundle in the temporary folder of this process ({@code java.io.tmpdir}). The
 * process holds a lock on the copy. The lock ends with the process, even if it is killed, so that a
 * later process knows which copies nobody uses and deletes them.
 */
@Internal
final class BundleCopy implements BundleFiles {

    private static final Logger LOG = LoggerFactory.getLogger(BundleCopy.class);

    static final String PREFIX = "flink-moe-bundle-";

    private static final String LOCK = "lock";
    private static final String BUNDLE = "bundle";

    /**
     * The process must not touch locks of its own copies, also not those that another class loader
     * has made: closing a file releases all locks that the process has on it.
     */
    static final String OWN_PREFIX = PREFIX + process() + "-";

    private final Path original;
    private final java.nio.file.Path folder;
    private final FileChannel lock;

    private BundleCopy(Path original, java.nio.file.Path folder, FileChannel lock) {
        this.original = original;
        this.folder = folder;
        this.lock = lock;
    }

    /**
     * Deletes the copies of processes that have ended, and copies a bundle. If that fails, nothing
     * of the copy remains.
     */
    static BundleCopy of(Path original) throws IOException {
        java.nio.file.Path temp = java.nio.file.Path.of(System.getProperty("java.io.tmpdir"));
        sweep(temp);
        BundleCopy copy = create(original, temp);
        try {
            copy(
                    original.getFileSystem(),
                    original,
                    Files.createDirectory(copy.folder.resolve(BUNDLE)));
            return copy;
        } catch (Throwable t) { // File systems also throw unchecked exceptions.
            copy.discard();
            throw t;
        }
    }

    @Override
    public Bundle read() throws BundleException {
        try {
            return Bundle.read(folder.resolve(BUNDLE));
        } catch (BundleException e) {
            throw new BundleException(
                    java.nio.file.Path.of(original.toString()),
                    "its copy on local disk is not valid: " + e.getMessage(),
                    e);
        }
    }

    @Override
    public boolean discard() {
        FileUtils.deleteDirectoryQuietly(folder.toFile());
        IOUtils.closeQuietly(lock);
        return true;
    }

    private static BundleCopy create(Path original, java.nio.file.Path temp) throws IOException {
        java.nio.file.Path folder = newFolder(temp);
        folder.toFile().deleteOnExit();
        java.nio.file.Path unlocked = folder.resolve("new");
        FileChannel lock = null;
        try {
            lock =
                    FileChannel.open(
                            unlocked, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            lock.lock();
            // Under its final name, the file is always locked: a sweep does not see it before.
            java.nio.file.Path locked = folder.resolve(LOCK);
            Files.move(unlocked, locked, StandardCopyOption.ATOMIC_MOVE);
            locked.toFile().deleteOnExit();
            return new BundleCopy(original, folder, lock);
        } catch (Throwable t) {
            FileUtils.deleteDirectoryQuietly(folder.toFile());
            IOUtils.closeQuietly(lock);
            throw t;
        }
    }

    /** Names are used again, because the JVM keeps every name that is to be deleted at its exit. */
    private static java.nio.file.Path newFolder(java.nio.file.Path temp) throws IOException {
        boolean posix = temp.getFileSystem().supportedFileAttributeViews().contains("posix");
        FileAttribute<?>[] ownerOnly =
                posix
                        ? new FileAttribute<?>[] {
                            PosixFilePermissions.asFileAttribute(
                                    PosixFilePermissions.fromString("rwx------"))
                        }
                        : new FileAttribute<?>[0];
        for (int i = 0; ; i++) {
            try {
                return Files.createDirectory(temp.resolve(OWN_PREFIX + i), ownerOnly);
            } catch (FileAlreadyExistsException e) {
                // Another copy of this process; try the next name.
            }
        }
    }

    private static void copy(FileSystem fileSystem, Path from, java.nio.file.Path into)
            throws IOException {
        into.toFile().deleteOnExit();
        for (FileStatus file : fileSystem.listStatus(from)) {
            java.nio.file.Path target = into.resolve(file.getPath().getName());
            if (file.isDir()) {
                copy(fileSystem, file.getPath(), Files.createDirectory(target));
            } else {
                target.toFile().deleteOnExit();
                try (InputStream in = fileSystem.open(file.getPath())) {
                    Files.copy(in, target);
                }
            }
        }
    }

    private static void sweep(java.nio.file.Path temp) {
        try (DirectoryStream<java.nio.file.Path> folders =
                Files.newDirectoryStream(temp, PREFIX + "*")) {
            for (java.nio.file.Path folder : folders) {
                boolean own = folder.getFileName().toString().startsWith(OWN_PREFIX);
                if (!own && Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
                    deleteIfUnlocked(folder);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            LOG.warn("Copies of bundles that earlier processes left in {} remain there", temp, e);
        }
    }

    private static void deleteIfUnlocked(java.nio.file.Path folder) {
        try (FileChannel lock =
                FileChannel.open(
                        folder.resolve(LOCK),
                        StandardOpenOption.WRITE,
                        LinkOption.NOFOLLOW_LINKS)) {
            if (lock.tryLock() != null) {
                // The lock is deleted last: whatever interrupts this, the next sweep continues it.
                FileUtils.deleteDirectory(folder.resolve(BUNDLE).toFile());
                FileUtils.deleteDirectory(folder.toFile());
                LOG.info("Deleted {}, a bundle's copy whose process has ended", folder);
            }
        } catch (IOException | OverlappingFileLockException e) {
            LOG.debug("{} remains", folder, e); // Just created, just deleted, or of another user.
        }
    }

    /** The start time is part of it, because process ids are reused. */
    private static String process() {
        ProcessHandle process = ProcessHandle.current();
        return process.pid()
                + "-"
                + process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
    }
}
