package io.flinkmoe.jobs.cluster;

import java.io.IOException;
import java.nio.file.Path;

/**
 * Kills processes when this JVM ends, however it ends: a shell waits for the end of a pipe that
 * this JVM holds.
 */
final class Watchdog implements AutoCloseable {

    private static final String SCRIPT =
            """
            trap '' INT TERM HUP
            cat >/dev/null
            for file in "$1"/*; do
                read pid rest <"$file" && kill -9 "$pid"
            done
            """;

    private final Process shell;

    /**
     * @param pids a folder with a file for each process, which begins with its id
     */
    Watchdog(Path pids) throws IOException {
        shell =
                new ProcessBuilder("sh", "-c", SCRIPT, "sh", pids.toString())
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .redirectError(ProcessBuilder.Redirect.DISCARD)
                        .start();
    }

    /** Kills now; those that have ended before are no longer in the folder. */
    @Override
    public void close() throws IOException {
        shell.getOutputStream().close();
    }
}
