// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.model.Bundle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * A bundle that this process has checked, and the jobs that use it. It is trusted until one of its
 * files has another size or modification time, or until one of its models cannot be opened.
 */
@Internal
final class CheckedBundle {

    private final Bundle bundle;
    private final BundleFiles files;
    private final Map<Path, Stamp> stamps = new HashMap<>();
    private boolean doubted;

    /** The class loaders of the jobs. */
    private final Set<ClassLoader> users = new HashSet<>();

    CheckedBundle(Bundle bundle, BundleFiles files) {
        this.bundle = bundle;
        this.files = files;
        stamp("model.json");
        bundle.spec().checksums().keySet().forEach(this::stamp);
    }

    private void stamp(String relative) {
        Path file = bundle.file(relative);
        stamps.put(file, Stamp.of(file));
    }

    Bundle bundle() {
        return bundle;
    }

    BundleFiles files() {
        return files;
    }

    Set<ClassLoader> users() {
        return users;
    }

    /** Its files must be checked again: one of its models cannot be opened. */
    void doubt() {
        doubted = true;
    }

    boolean isTrusted() {
        if (doubted) {
            return false;
        }
        for (Map.Entry<Path, Stamp> file : stamps.entrySet()) {
            if (!file.getValue().equals(Stamp.of(file.getKey()))) {
                return false;
            }
        }
        return true;
    }

    /** What a file system knows of a file's content without reading it. */
    private record Stamp(long size, FileTime modified) {

        private static final Stamp UNREADABLE = new Stamp(-1, FileTime.fromMillis(0));

        static Stamp of(Path file) {
            try {
                BasicFileAttributes attributes =
                        Files.readAttributes(file, BasicFileAttributes.class);
                return new Stamp(attributes.size(), attributes.lastModifiedTime());
            } catch (IOException e) {
                return UNREADABLE; // The next check reports it.
            }
        }
    }
}
