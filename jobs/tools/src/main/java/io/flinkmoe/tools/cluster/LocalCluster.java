// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import io.flinkmoe.scoring.cli.NetworkBuffers;
import io.flinkmoe.tools.machine.FreePorts;
import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ConfigurationUtils;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.jobgraph.JobGraph;

/**
 * A Flink cluster of real processes on this machine: ZooKeeper, JobManagers with high availability,
 * and task managers, as in a Flink installation. All its files are in one folder. Any program that
 * knows the folder can find the cluster.
 */
@Internal
public final class LocalCluster implements AutoCloseable {

    private static final int WEB_PORT = 8081;

    /** Longer than a session with ZooKeeper lasts: a lost leadership shows by then. */
    private static final Duration STABLE = Duration.ofSeconds(6);

    private final ClusterFolder folder;
    private final Installation installation;
    private final Configuration options;
    private final ClusterProcesses processes;

    private LocalCluster(ClusterFolder folder, Installation installation, Configuration options) {
        this.folder = folder;
        this.installation = installation;
        this.options = options;
        this.processes = new ClusterProcesses(folder.path(), installation, options);
    }

    /**
     * Starts a cluster, and waits until all its task managers are registered. Checkpoints and
     * savepoints of an earlier cluster in the folder remain.
     *
     * @throws IOException if a cluster already runs in the folder, if one has ended there whose
     *     jobs can continue, if something else is in the folder, if the project is not built, or if
     *     the cluster does not start within 90 s; the message contains the end of a log
     */
    public static LocalCluster start(
            Path folder, Installation installation, ClusterSettings settings) throws IOException {
        LocalCluster cluster =
                create(folder, installation, settings, FreePorts.preferring(WEB_PORT));
        cluster.startAll(settings);
        return cluster;
    }

    /**
     * Starts a cluster that is killed when this JVM ends, even during the start. It uses any free
     * web port, so that several such clusters can start at the same time.
     */
    public static LocalCluster startForThisProcess(
            Path folder, Installation installation, ClusterSettings settings) throws IOException {
        LocalCluster cluster = create(folder, installation, settings, FreePorts.find(1)[0]);
        cluster.endWithThisProcess();
        cluster.startAll(settings);
        return cluster;
    }

    /** Creates a cluster without starting its processes. */
    private static LocalCluster create(
            Path folder, Installation installation, ClusterSettings settings, int webPort)
            throws IOException {
        ClusterFolder clusterFolder = new ClusterFolder(folder, installation);
        clusterFolder.prepare();
        Path home = clusterFolder.path();
        int zooKeeperPort = FreePorts.find(1)[0];
        ClusterCommands.writeFiles(home, zooKeeperPort);
        Configuration options = settings.flinkOptions(home, zooKeeperPort, webPort);
        Files.write(
                OwnerOnly.createFile(home.resolve("conf/config.yaml")),
                ConfigurationUtils.convertConfigToWritableLines(options, true));
        return new LocalCluster(clusterFolder, installation, options);
    }

    /**
     * Finds the running cluster of a folder.
     *
     * @throws IOException if no process of a cluster runs there
     */
    public static LocalCluster find(Path folder, Installation installation) throws IOException {
        LocalCluster cluster = findStarted(folder, installation);
        if (!ClusterProcesses.anyRuns(cluster.folder.path())) {
            throw new IOException(
                    "All processes of the cluster in %s ended. To start them again and continue their jobs from the last checkpoint: %s"
                            .formatted(cluster.folder.path(), cluster.command("resume")));
        }
        return cluster;
    }

    /**
     * Finds the cluster of a folder, even if all its processes have ended.
     *
     * @throws IOException if no cluster was started there, or if it was stopped
     */
    public static LocalCluster findStarted(Path folder, Installation installation)
            throws IOException {
        ClusterFolder clusterFolder = new ClusterFolder(folder, installation);
        if (!clusterFolder.hasCluster()) {
            throw new IOException(
                    "No cluster runs in %s. Start one: %s. If it runs in another folder, name that: --dir DIR, or moe score --cluster=DIR"
                            .formatted(clusterFolder.path(), clusterFolder.command("start")));
        }
        Configuration options =
                GlobalConfiguration.loadConfiguration(
                        clusterFolder.path().resolve("conf").toString());
        return new LocalCluster(clusterFolder, installation, options);
    }

    /**
     * A command line for this cluster, for messages.
     *
     * @param words the command and its arguments: "resume"
     */
    public String command(String words) {
        return folder.command(words);
    }

    /** All processes that were started, whether they run or not. */
    public List<ClusterMember> members() throws IOException {
        return processes.members();
    }

    /** The names of the processes that have ended. */
    public List<String> dead() throws IOException {
        return members().stream()
                .filter(member -> member.pid() < 0)
                .map(ClusterMember::name)
                .toList();
    }

    public List<String> taskManagers() throws IOException {
        return processes.names(ClusterProcesses.TASK_MANAGER);
    }

    public List<String> jobManagers() throws IOException {
        return processes.names(ClusterProcesses.JOB_MANAGER);
    }

    /**
     * Runs Flink's own command line for this cluster, like {@code bin/flink} of an installation.
     *
     * @param out receives its output
     * @return its exit code
     */
    public int flink(List<String> arguments, PrintWriter out) throws IOException {
        return processes.flink(arguments, out);
    }

    /** A copy of the cluster's options. */
    public Configuration options() {
        return new Configuration(options);
    }

    public String webUrl() {
        return "http://%s:%d"
                .formatted(options.get(RestOptions.ADDRESS), options.get(RestOptions.PORT));
    }

    /**
     * The options of a job that runs on this cluster. The job jar contains its classes.
     *
     * @param job the job's own options
     */
    public Configuration jobOptions(Configuration job) throws IOException {
        return ClusterJobOptions.of(job, options, installation.jobJar());
    }

    /**
     * Checks that the task managers have network memory for a job.
     *
     * @throws IllegalConfigurationException if they have less; the message says what to set
     */
    public void checkNetworkMemory(JobGraph graph) {
        try {
            NetworkBuffers.check(
                    graph,
                    TaskExecutorProcessUtils.processSpecFromConfig(options).getNetworkMemSize(),
                    options.get(TaskManagerOptions.NUM_TASK_SLOTS),
                    options);
        } catch (IllegalConfigurationException e) {
            throw new IllegalConfigurationException(
                    "%s. Stop this cluster, and start it with more: %s"
                            .formatted(e.getMessage(), command("start --network SIZE")),
                    e);
        }
    }

    /** A client for this cluster. */
    public ClusterRest rest() throws IOException {
        return new ClusterRest(options);
    }

    /** Kills a process with SIGKILL, and waits until it has ended. */
    public void kill(String name) throws IOException {
        processes.kill(name);
    }

    ClusterProcesses processes() {
        return processes;
    }

    /** Restarts a process that was killed. */
    public void restart(String name) throws IOException {
        processes.launch(name);
    }

    /**
     * Starts the processes that have ended, and waits until the cluster is ready and has its jobs,
     * which continue from their last checkpoint.
     *
     * @return the names of the processes
     * @throws IOException if the cluster is not ready within 90 s; the message contains the end of
     *     a log
     */
    public List<String> resume() throws IOException {
        List<String> dead = dead();
        try (ClusterRest rest = rest()) {
            Set<String> known = dead.isEmpty() ? Set.of() : idsOrNone(rest);
            for (String name : dead) {
                processes.launch(name);
            }
            int taskManagers = taskManagers().size();
            long started = dead.stream().filter(taskManagers()::contains).count();
            Duration stable = started == dead.size() ? Duration.ZERO : STABLE;
            new Readiness(processes, rest)
                    .await(
                            new Readiness.Goal(
                                    taskManagers, known, (int) started, folder.jobs(), stable));
        }
        return dead;
    }

    private static Set<String> idsOrNone(ClusterRest rest) {
        try {
            return rest.taskManagerIds();
        } catch (IOException e) {
            return Set.of(); // No JobManager leads, so all have to register again.
        }
    }

    /** Makes sure that all processes are killed when this JVM ends, even if it is killed. */
    public void endWithThisProcess() throws IOException {
        processes.endWithThisProcess();
    }

    /** Stops all processes, and kills those that take longer than 10 s. */
    public void stop() throws IOException {
        processes.stop();
    }

    @Override
    public void close() throws IOException {
        stop();
    }

    private void startAll(ClusterSettings settings) throws IOException {
        try {
            launchAll(settings);
        } catch (IOException | RuntimeException e) {
            stop();
            throw e;
        }
    }

    private void launchAll(ClusterSettings settings) throws IOException {
        processes.launch(ClusterProcesses.ZOOKEEPER);
        for (int i = 1; i <= settings.jobManagers(); i++) {
            processes.launch(ClusterProcesses.JOB_MANAGER + i);
        }
        for (int i = 1; i <= settings.taskManagers(); i++) {
            processes.launch(ClusterProcesses.TASK_MANAGER + i);
        }
        try (ClusterRest rest = rest()) {
            new Readiness(processes, rest).await(Readiness.Goal.ofStart(settings.taskManagers()));
        }
    }
}
