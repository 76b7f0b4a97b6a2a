// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * Folders and files that only their owner can read: jobs, which a JobManager keeps in the cluster's
 * folder, contain the passwords of their Kafka clients.
 */
@Internal
final class OwnerOnly {

    private static final FileAttribute<Set<PosixFilePermission>> FOLDER = attribute("rwx------");
    private static final FileAttribute<Set<PosixFilePermission>> FILE = attribute("rw-------");

    private OwnerOnly() {}

    /** Creates a folder and its parents. Existing folders do not change. */
    static void createFolder(Path folder) throws IOException {
        Files.createDirectories(folder, FOLDER);
    }

    /** Creates an empty file, if there is none. */
    static Path createFile(Path file) throws IOException {
        return Files.exists(file) ? file : Files.createFile(file, FILE);
    }

    /** The command of a process that lets only its owner read what it writes. */
    static List<String> command(List<String> command) {
        List<String> all = new ArrayList<>(List.of("sh", "-c", "umask 077; exec \"$@\"", "sh"));
        all.addAll(command);
        return all;
    }

    private static FileAttribute<Set<PosixFilePermission>> attribute(String permissions) {
        return PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions));
    }
}
