// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;

/**
 * Kills processes when this JVM ends, even if it is killed. A shell waits for the end of a pipe
 * that this JVM holds open. The shell receives the process ids in advance, because the files that
 * contain them may be deleted by then.
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
     * Sets the processes to kill.
     *
     * @param pids the process ids, which replace those of earlier calls
     */
    void watch(List<Long> pids) throws IOException {
        String line = pids.stream().map(String::valueOf).collect(Collectors.joining(" ", "", "\n"));
        OutputStream pipe = shell.getOutputStream();
        pipe.write(line.getBytes(StandardCharsets.US_ASCII));
        pipe.flush();
    }

    /** Kills the processes now. */
    @Override
    public void close() throws IOException {
        shell.getOutputStream().close();
    }
}
