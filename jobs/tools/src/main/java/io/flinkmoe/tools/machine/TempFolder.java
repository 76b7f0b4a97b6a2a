package io.flinkmoe.tools.machine;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.FileUtils;

/**
 * The one folder for all that is temporary in this process: what Flink, ONNX Runtime and other
 * libraries put into {@code java.io.tmpdir}. deploy/bin/moe makes it, since Java reads that
 * property before any program runs, and names it in {@code moe.tmp}; it goes when the process ends.
 */
@Internal
public final class TempFolder {

    private static final int REMOVALS = 10;

    private TempFolder() {}

    /** Has the folder removed when the process ends, however it ends short of being killed. */
    public static void removeAtEnd() {
        String folder = System.getProperty("moe.tmp");
        if (folder != null) {
            Thread removal = new Thread(() -> remove(Path.of(folder)), "temp-folder-removal");
            Runtime.getRuntime().addShutdownHook(removal);
        }
    }

    /** Where to put what is to outlive the process. */
    public static Path outer() {
        String folder = System.getProperty("moe.tmp");
        return folder == null
                ? Path.of(System.getProperty("java.io.tmpdir"))
                : Path.of(folder).toAbsolutePath().getParent();
    }

    /** More than once: a job that is being interrupted may still write. */
    private static void remove(Path folder) {
        for (int i = 0; i < REMOVALS && Files.exists(folder); i++) {
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
