package io.flinkmoe.tools.cluster;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;

/**
 * Kills processes when this JVM ends, however it ends: a shell waits for the end of a pipe that
 * this JVM holds. It has been told who they are, since files that say it may be gone by then.
 */
@Internal
final class Watchdog implements AutoCloseable {

    private static final String SCRIPT =
            """
            trap '' INT TERM HUP
            while read -r line; do pids=$line; done
            kill -9 $pids
            """;

    private final Process shell;

    Watchdog() throws IOException {
        shell =
                new ProcessBuilder("sh", "-c", SCRIPT)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .redirectError(ProcessBuilder.Redirect.DISCARD)
                        .start();
    }

    /**
     * Says who is to be killed.
     *
     * @param pids process ids; those of an earlier call no longer count
     */
    void watch(List<Long> pids) throws IOException {
        String line = pids.stream().map(String::valueOf).collect(Collectors.joining(" ", "", "\n"));
        OutputStream pipe = shell.getOutputStream();
        pipe.write(line.getBytes(StandardCharsets.US_ASCII));
        pipe.flush();
    }

    /** Kills now. */
    @Override
    public void close() throws IOException {
        shell.getOutputStream().close();
    }
}
