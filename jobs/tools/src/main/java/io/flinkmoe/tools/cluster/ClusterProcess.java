// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.Internal;

/**
 * One process of a local cluster. A file contains its process id, so that any program can find it.
 * The file also contains the start time, because process ids are reused.
 */
@Internal
final class ClusterProcess {

    private static final Duration STOP_TIMEOUT = Duration.ofSeconds(10);
    private static final int LOG_LINES_IN_ERRORS = 20;

    /** A tolerance: the system reports start times in units of 10 ms, relative to the boot time. */
    private static final long SAME_START_MILLIS = 2_000;

    private final String name;
    private final Path pidFile;
    private final Path log;

    /**
     * @param folder the cluster's folder
     */
    ClusterProcess(String name, Path folder) {
        this.name = name;
        pidFile = folder.resolve("pids").resolve(name);
        log = folder.resolve("log").resolve(name + ".log");
    }

    String name() {
        return name;
    }

    /**
     * The log of the process. Its standard output goes to a file beside it that ends in {@code
     * .out}.
     */
    Path log() {
        return log;
    }

    /** Starts the process. It outlives this JVM and the terminal. */
    void start(List<String> command, Map<String, String> environment) throws IOException {
        OwnerOnly.createFolder(log.getParent());
        OwnerOnly.createFolder(pidFile.getParent());
        Path out = OwnerOnly.createFile(log.resolveSibling(name + ".out"));
        List<String> detached = new ArrayList<>(List.of("nohup"));
        detached.addAll(command);
        ProcessBuilder builder = new ProcessBuilder(OwnerOnly.command(detached));
        builder.environment().putAll(environment);
        builder.redirectInput(Path.of("/dev/null").toFile());
        builder.redirectErrorStream(true);
        builder.redirectOutput(ProcessBuilder.Redirect.appendTo(out.toFile()));
        ProcessHandle process = builder.start().toHandle();
        Files.writeString(
                OwnerOnly.createFile(pidFile), process.pid() + " " + startMillis(process) + "\n");
    }

    /** The process, if it runs. */
    Optional<ProcessHandle> handle() {
        try {
            String[] saved = Files.readString(pidFile).strip().split(" ");
            long started = Long.parseLong(saved[1]);
            return ProcessHandle.of(Long.parseLong(saved[0]))
                    .filter(ProcessHandle::isAlive)
                    .filter(h -> Math.abs(startMillis(h) - started) < SAME_START_MILLIS);
        } catch (IOException | RuntimeException e) {
            return Optional.empty(); // Never started, or killed while the file was written.
        }
    }

    boolean isAlive() {
        return handle().isPresent();
    }

    /** Requests its normal termination. */
    void terminate() {
        handle().ifPresent(ProcessHandle::destroy);
    }

    /** Waits until the process has ended, and kills it after 10 s. */
    void awaitEnd() throws IOException {
        ProcessHandle process = handle().orElse(null);
        if (process != null && !ended(process, STOP_TIMEOUT)) {
            kill();
        }
        Files.deleteIfExists(pidFile);
    }

    /** Kills the process with SIGKILL, so that it cannot shut down cleanly. */
    void kill() throws IOException {
        ProcessHandle process = handle().orElse(null);
        if (process != null) {
            process.destroyForcibly();
            if (!ended(process, STOP_TIMEOUT)) {
                throw new IOException(
                        "%s (process %d) does not end".formatted(name, process.pid()));
            }
        }
    }

    /**
     * Sends a signal to the process.
     *
     * @param name such as STOP
     */
    void signal(String name) throws IOException {
        ProcessHandle process =
                handle().orElseThrow(() -> new IOException(this.name + " does not run"));
        Process kill = new ProcessBuilder("kill", "-" + name, "" + process.pid()).start();
        try {
            if (kill.waitFor() != 0) {
                throw new IOException(
                        "process %d does not take SIG%s".formatted(process.pid(), name));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while a signal was sent", e);
        }
    }

    /** The end of its log and of its standard output, for error messages. */
    String tail() {
        StringBuilder text = new StringBuilder();
        for (Path file : List.of(log, log.resolveSibling(name + ".out"))) {
            try {
                List<String> lines = Files.readAllLines(file);
                int from = Math.max(0, lines.size() - LOG_LINES_IN_ERRORS);
                lines.subList(from, lines.size()).forEach(line -> text.append("\n").append(line));
            } catch (IOException e) {
                text.append("\n(").append(file).append(" cannot be read)");
            }
        }
        return text.toString();
    }

    private static boolean ended(ProcessHandle process, Duration timeout) throws IOException {
        try {
            process.onExit().get(timeout.toMillis(), TimeUnit.MILLISECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while a process was ending", e);
        } catch (ExecutionException e) {
            throw new IOException("cannot wait for a process to end", e.getCause());
        }
    }

    private static long startMillis(ProcessHandle process) {
        return process.info().startInstant().orElseThrow().toEpochMilli();
    }
}
