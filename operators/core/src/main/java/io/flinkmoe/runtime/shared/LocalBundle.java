// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.attribute.FileTime;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.util.FileUtils;

/**
 * A reference to a bundle that any process of the cluster can open. A remote bundle is copied to
 * local disk once per process. Every bundle is read and checked once per process.
 *
 * @param location a path, or a URI of any file system that Flink supports
 * @param version the version that the job was built for; null accepts any version
 */
@Internal
public record LocalBundle(String location, String version) implements Serializable {

    private static final Map<String, Opened> OPENED = new HashMap<>();

    /** The local copies of remote bundles, with the class loaders of the jobs that use them. */
    private static final Map<java.nio.file.Path, Set<ClassLoader>> COPIES = new HashMap<>();

    /** A bundle that was read, and the modification time of its model.json. */
    private record Opened(Bundle bundle, FileTime written) {}

    /**
     * Opens the bundle for an operator. A local copy is deleted when the last job that uses it has
     * left the process.
     *
     * @throws BundleException if it cannot be read, or now has another version
     */
    public Bundle open(RuntimeContext context) throws BundleException {
        synchronized (OPENED) {
            Bundle bundle = openOnce();
            Set<ClassLoader> users = COPIES.get(bundle.directory());
            if (users != null) {
                ClassLoader job = context.getUserCodeClassLoader();
                users.add(job);
                context.registerUserCodeClassLoaderReleaseHookIfAbsent(
                        "flink-moe-bundles", () -> release(job));
            }
            return bundle;
        }
    }

    private static void release(ClassLoader job) {
        synchronized (OPENED) {
            for (Map.Entry<java.nio.file.Path, Set<ClassLoader>> copy :
                    List.copyOf(COPIES.entrySet())) {
                if (copy.getValue().remove(job) && copy.getValue().isEmpty()) {
                    delete(copy.getKey());
                }
            }
        }
    }

    private static void delete(java.nio.file.Path copy) {
        COPIES.remove(copy);
        OPENED.values().removeIf(opened -> opened.bundle.directory().equals(copy));
        FileUtils.deleteDirectoryQuietly(copy.toFile());
    }

    /**
     * Opens the bundle.
     *
     * @throws BundleException if it cannot be read, or now has another version
     */
    public Bundle open() throws BundleException {
        synchronized (OPENED) { // Subtasks start together; one copies and reads it for all.
            return openOnce();
        }
    }

    private Bundle openOnce() throws BundleException {
        Opened opened = OPENED.get(location + '#' + version);
        if (opened == null || !opened.written.equals(written(opened.bundle))) {
            Bundle bundle = read();
            opened = new Opened(bundle, written(bundle));
            OPENED.put(location + '#' + bundle.spec().version(), opened);
        }
        return opened.bundle;
    }

    /**
     * The modification time of model.json. If it has changed, another bundle is in the same place.
     */
    private static FileTime written(Bundle bundle) {
        try {
            return Files.getLastModifiedTime(bundle.file("model.json"));
        } catch (IOException e) {
            return FileTime.fromMillis(
                    Long.MIN_VALUE); // The file is gone; the next read reports it.
        }
    }

    private Bundle read() throws BundleException {
        Bundle bundle = Bundle.read(localDirectory());
        String found = bundle.spec().version();
        if (version != null && !version.equals(found)) {
            throw new BundleException(
                    bundle.directory(),
                    "now has version %s, but the job was built for version %s. Keep each version in its own directory, or submit the job again"
                            .formatted(found, version));
        }
        return bundle;
    }

    private java.nio.file.Path localDirectory() throws BundleException {
        try {
            Path path = new Path(location);
            if (path.toUri().getScheme() == null || path.toUri().getScheme().equals("file")) {
                return localPath(path);
            }
            return copy(path);
        } catch (IOException | IllegalArgumentException e) {
            throw new BundleException(
                    java.nio.file.Path.of(location), "cannot be read: " + e.getMessage(), e);
        }
    }

    /** In a locale without UTF-8, Java cannot open files whose names are not ASCII. */
    private static java.nio.file.Path localPath(Path path) {
        try {
            return java.nio.file.Path.of(path.getPath());
        } catch (InvalidPathException e) {
            throw new IllegalConfigurationException(
                    "%s is '%s', but this process cannot use the name: %s. Start it in a UTF-8 locale, for example with LC_ALL=C.UTF-8 in its environment"
                            .formatted(MoeOptions.BUNDLE.key(), path, e.getReason()),
                    e);
        }
    }

    private static java.nio.file.Path copy(Path path) throws IOException {
        java.nio.file.Path copy = Files.createTempDirectory("flink-moe-bundle-");
        try {
            copy(path.getFileSystem(), path, copy);
            COPIES.put(copy, new HashSet<>());
            return copy;
        } catch (IOException e) {
            FileUtils.deleteDirectoryQuietly(copy.toFile());
            throw e;
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
                try (InputStream in = fileSystem.open(file.getPath())) {
                    Files.copy(in, target);
                }
                target.toFile().deleteOnExit();
            }
        }
    }
}
