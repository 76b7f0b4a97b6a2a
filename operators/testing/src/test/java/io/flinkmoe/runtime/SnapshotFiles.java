// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import java.nio.file.Path;

/**
 * Where state that an earlier build wrote is kept, to be restored by tests. After a wire form has
 * changed, before a release, write the files anew from the project's root:
 *
 * <pre>{@code
 * mvn test -pl operators/testing -am -Dtest='*SnapshotFilesTest' -Dsurefire.failIfNoSpecifiedTests=false \
 *     -Dsnapshots.write=true
 * }</pre>
 *
 * Once a version is released, its directory stays as it is, and a new one is added.
 */
final class SnapshotFiles {

    /** Whether to write the files, rather than to hold the code against them. */
    static final boolean WRITE = Boolean.getBoolean("snapshots.write");

    static final String REMEDY =
            "state of an earlier build cannot be restored; see SnapshotFiles for what to do";

    private static final Path DIRECTORY = Path.of("src", "test", "resources", "snapshots", "0.1");

    private SnapshotFiles() {}

    static Path file(String name) {
        return DIRECTORY.resolve(name);
    }
}
