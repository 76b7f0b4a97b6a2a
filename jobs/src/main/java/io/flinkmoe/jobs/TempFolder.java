package io.flinkmoe.jobs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.util.FileUtils;

/**
 * The one folder for all that is temporary in this process: what Flink, ONNX Runtime and other
 * libraries put into {@code java.io.tmpdir} goes there, and is gone when the process ends.
 */
final class TempFolder {

    private static final String TMPDIR = "java.io.tmpdir";
    private static final int REMOVALS = 10;

    private static final Path OUTER = Path.of(System.getProperty(TMPDIR));

    private TempFolder() {}

    /**
     * Makes the folder, and {@code java.io.tmpdir} point to it. Must come first: Java and Flink
     * read the property once. The log's default place stays outside.
     */
    static void install() throws IOException {
        if (System.getProperty("moe.log.file") == null) {
            System.setProperty("moe.log.file", OUTER.resolve("moe.log").toString());
        }
        // Not Files.createTempDirectory, which would read the property.
        String name = "flink-moe-%d-%x".formatted(ProcessHandle.current().pid(), System.nanoTime());
        Path folder = Files.createDirectory(OUTER.resolve(name));
        System.setProperty(TMPDIR, folder.toString());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> remove(folder), "temp-folder"));
    }

    /** Where to put what is to outlive this process. */
    static Path outer() {
        return OUTER;
    }

    /** Removes a folder that, while a job is being interrupted, others may still write to. */
    static void remove(Path folder) {
        for (int i = 0; i < REMOVALS && Files.exists(folder); i++) {
            FileUtils.deleteDirectoryQuietly(folder.toFile());
            try {
                Thread.sleep(i == 0 ? 0 : 100);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }
}
