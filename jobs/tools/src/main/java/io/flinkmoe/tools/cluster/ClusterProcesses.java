package io.flinkmoe.tools.cluster;

import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;

/** The processes of a local cluster: starts them, looks after them, and ends them. */
@Internal
final class ClusterProcesses {

    static final String ZOOKEEPER = "zookeeper";
    static final String JOB_MANAGER = "jobmanager-";
    static final String TASK_MANAGER = "taskmanager-";

    private final Path folder;
    private final Installation installation;
    private final Configuration options;
    private Watchdog watchdog;

    /**
     * @param folder the cluster's
     * @param options Flink's
     */
    ClusterProcesses(Path folder, Installation installation, Configuration options) {
        this.folder = folder;
        this.installation = installation;
        this.options = options;
    }

    /** Whether a process of a cluster in this folder runs. */
    static boolean anyRuns(Path folder) throws IOException {
        return processesIn(folder).stream().anyMatch(ClusterProcess::isAlive);
    }

    /** Every process that was started, whether it runs or not. */
    List<ClusterMember> members() throws IOException {
        return processesIn(folder).stream()
                .map(
                        p ->
                                new ClusterMember(
                                        p.name(),
                                        p.handle().map(ProcessHandle::pid).orElse(-1L),
                                        p.log()))
                .toList();
    }

    /** The processes of a kind. */
    List<String> names(String prefix) throws IOException {
        return processesIn(folder).stream()
                .map(ClusterProcess::name)
                .filter(name -> name.startsWith(prefix))
                .toList();
    }

    /** The commands that start Flink's programs. */
    ClusterCommands commands() throws IOException {
        return new ClusterCommands(folder, options, installation.flinkClassPath());
    }

    /** Starts a process, or starts it again. */
    void launch(String name) throws IOException {
        ClusterProcess process = new ClusterProcess(name, folder);
        ClusterCommands commands = commands();
        List<String> command;
        if (name.equals(ZOOKEEPER)) {
            command = commands.zooKeeper(process.log());
        } else if (name.startsWith(JOB_MANAGER)) {
            command = commands.jobManager(process.log(), name.equals(JOB_MANAGER + 1));
        } else {
            command = commands.taskManager(process.log());
        }
        process.start(command, ClusterCommands.ENVIRONMENT);
        tellWatchdog();
    }

    /**
     * @param deadline by {@link System#nanoTime()}
     * @throws IOException if a process has ended, or the deadline is over, with the end of a log
     */
    void requireAlive(long deadline) throws IOException {
        for (ClusterProcess process : processesIn(folder)) {
            if (!process.isAlive() || System.nanoTime() > deadline) {
                throw new IOException(
                        "%s %s; the end of its log, %s:%s"
                                .formatted(
                                        process.name(),
                                        process.isAlive() ? "is not up in time" : "ended",
                                        process.log(),
                                        process.tail()));
            }
        }
    }

    /** Ends a process with SIGKILL, and waits until it is gone. */
    void kill(String name) throws IOException {
        new ClusterProcess(name, folder).kill();
        tellWatchdog();
    }

    /** Has all processes killed when this JVM ends, however it ends. */
    void endWithThisProcess() throws IOException {
        watchdog = new Watchdog();
        tellWatchdog();
    }

    private void tellWatchdog() throws IOException {
        if (watchdog != null) {
            watchdog.watch(
                    members().stream().map(ClusterMember::pid).filter(pid -> pid > 0).toList());
        }
    }

    /** Ends all processes in an orderly way, and kills those that take longer than 10 s. */
    void stop() throws IOException {
        List<ClusterProcess> processes = new ArrayList<>(processesIn(folder));
        processes.sort(Comparator.comparing(process -> process.name().equals(ZOOKEEPER)));
        for (ClusterProcess process : processes) {
            if (!process.name().equals(ZOOKEEPER)) {
                process.terminate();
            }
        }
        for (ClusterProcess process : processes) {
            process.terminate();
            process.awaitEnd();
        }
        if (watchdog != null) {
            tellWatchdog();
            watchdog.close();
            watchdog = null;
        }
    }

    private static List<ClusterProcess> processesIn(Path folder) throws IOException {
        Path pids = folder.resolve("pids");
        if (!Files.isDirectory(pids)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(pids)) {
            return files.map(file -> new ClusterProcess(file.getFileName().toString(), folder))
                    .sorted(Comparator.comparing(ClusterProcess::name))
                    .toList();
        }
    }
}
