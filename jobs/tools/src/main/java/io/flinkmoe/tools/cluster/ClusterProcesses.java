// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import io.flinkmoe.tools.machine.Installation;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.util.FileUtils;

/** Starts, watches and stops the processes of a local cluster. */
@Internal
final class ClusterProcesses {

    static final String ZOOKEEPER = "zookeeper";
    static final String JOB_MANAGER = "jobmanager-";
    static final String FIRST_JOB_MANAGER = JOB_MANAGER + 1;
    static final String TASK_MANAGER = "taskmanager-";

    private final Path folder;
    private final Installation installation;
    private final Configuration options;
    private Watchdog watchdog;

    /**
     * @param folder the cluster's folder
     * @param options Flink's options
     */
    ClusterProcesses(Path folder, Installation installation, Configuration options) {
        this.folder = folder;
        this.installation = installation;
        this.options = options;
    }

    /** Whether a cluster was started in this folder and not stopped, even if it has ended. */
    static boolean anyStarted(Path folder) throws IOException {
        return !processesIn(folder).isEmpty();
    }

    /** Whether a process of a cluster in this folder runs. */
    static boolean anyRuns(Path folder) throws IOException {
        return processesIn(folder).stream().anyMatch(ClusterProcess::isAlive);
    }

    /** All processes that were started, whether they run or not. */
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

    /** The processes themselves. */
    List<ClusterProcess> all() throws IOException {
        return processesIn(folder);
    }

    /** Starts or restarts a process, with an empty folder for its temporary files. */
    void launch(String name) throws IOException {
        ClusterProcess process = new ClusterProcess(name, folder);
        Path tmp = ClusterCommands.tmp(folder, process.log());
        FileUtils.deleteDirectory(tmp.toFile()); // What it left when it was killed.
        OwnerOnly.createFolder(tmp);
        ClusterCommands commands = commands();
        List<String> command;
        if (name.equals(ZOOKEEPER)) {
            command = commands.zooKeeper(process.log());
        } else if (name.startsWith(JOB_MANAGER)) {
            command = commands.jobManager(process.log(), name.equals(FIRST_JOB_MANAGER));
        } else {
            command = commands.taskManager(process.log());
        }
        process.start(command, ClusterCommands.ENVIRONMENT);
        updateWatchdog();
    }

    /**
     * Runs Flink's own command line.
     *
     * @param out receives its output
     * @return its exit code
     */
    int flink(List<String> arguments, PrintWriter out) throws IOException {
        Process process = commands().flink(folder.resolve("log/flink.log"), arguments).start();
        try (BufferedReader lines = process.inputReader()) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                out.println(line);
                out.flush();
            }
            return process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while Flink's command line ran", e);
        } finally {
            process.destroy();
        }
    }

    /** Kills a process with SIGKILL, and waits until it has ended. */
    void kill(String name) throws IOException {
        new ClusterProcess(name, folder).kill();
        updateWatchdog();
    }

    /** Sends a signal to a process: STOP or CONT. */
    void signal(String name, String signal) throws IOException {
        new ClusterProcess(name, folder).signal(signal);
    }

    /** Makes sure that all processes are killed when this JVM ends, even if it is killed. */
    void endWithThisProcess() throws IOException {
        watchdog = new Watchdog();
        updateWatchdog();
    }

    private void updateWatchdog() throws IOException {
        if (watchdog != null) {
            watchdog.watch(
                    members().stream().map(ClusterMember::pid).filter(pid -> pid > 0).toList());
        }
    }

    /** Stops all processes, and kills those that take longer than 10 s. */
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
            updateWatchdog();
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
