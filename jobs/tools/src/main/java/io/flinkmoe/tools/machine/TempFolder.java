// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.machine;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.FileUtils;

/**
 * The folder for all temporary files of this process: those that Flink, ONNX Runtime and other
 * libraries write to {@code java.io.tmpdir}. deploy/bin/moe creates the folder, because Java reads
 * that property before the program runs, and passes its path in {@code moe.tmp}. The folder is
 * removed when the process ends.
 */
@Internal
public final class TempFolder {

    private static final int MAX_ATTEMPTS = 10;

    private TempFolder() {}

    /** Removes the folder when the process ends, unless the process is killed. */
    public static void removeAtEnd() {
        String folder = System.getProperty("moe.tmp");
        if (folder != null) {
            Thread removal = new Thread(() -> remove(Path.of(folder)), "temp-folder-removal");
            Runtime.getRuntime().addShutdownHook(removal);
        }
    }

    /** The folder for files that outlive the process. */
    public static Path outer() {
        String folder = System.getProperty("moe.tmp");
        return folder == null
                ? Path.of(System.getProperty("java.io.tmpdir"))
                : Path.of(folder).toAbsolutePath().getParent();
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
}
