// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import io.flinkmoe.scoring.cli.NetworkBuffers;
import io.flinkmoe.tools.machine.FreePorts;
import io.flinkmoe.tools.machine.Installation;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.client.deployment.executors.RemoteExecutor;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ConfigurationUtils;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.util.FileUtils;

/**
 * A Flink cluster of real processes on this machine: ZooKeeper, JobManagers with high availability,
 * and task managers, as in a Flink installation. All its files are in one folder. Any program that
 * knows the folder can find the cluster.
 */
@Internal
public final class LocalCluster implements AutoCloseable {

    private static final int WEB_PORT = 8081;

    private final Path folder;
    private final Installation installation;
    private final Configuration options;
    private final ClusterProcesses processes;

    private LocalCluster(Path folder, Installation installation, Configuration options) {
        this.folder = folder;
        this.installation = installation;
        this.options = options;
        this.processes = new ClusterProcesses(folder, installation, options);
    }

    /**
     * Starts a cluster, and waits until all its task managers are registered. Jobs of an earlier
     * cluster in the folder are discarded. Its checkpoints and savepoints remain.
     *
     * @throws IOException if a cluster already runs in the folder, if the project is not built, or
     *     if the cluster does not start within 90 s; the message contains the end of a log
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
        Path home = folder.toAbsolutePath().normalize();
        if (ClusterProcesses.anyRuns(home)) {
            throw new IOException(
                    "A cluster already runs in %s. Stop it first: deploy/bin/cluster stop"
                            .formatted(home));
        }
        for (String past :
                List.of("pids", "conf", "log", "ha", ClusterProcesses.ZOOKEEPER, "tmp")) {
            FileUtils.deleteDirectory(home.resolve(past).toFile());
        }
        OwnerOnly.createFolder(home.resolve("conf"));
        OwnerOnly.createFolder(home.resolve("tmp"));
        int zooKeeperPort = FreePorts.find(1)[0];
        ClusterCommands.writeFiles(home, zooKeeperPort);
        Configuration options = settings.flinkOptions(home, zooKeeperPort, webPort);
        Files.write(
                OwnerOnly.createFile(home.resolve("conf/config.yaml")),
                ConfigurationUtils.convertConfigToWritableLines(options, true));
        return new LocalCluster(home, installation, options);
    }

    /**
     * Finds the running cluster of a folder.
     *
     * @throws IOException if no process of a cluster runs there
     */
    public static LocalCluster find(Path folder, Installation installation) throws IOException {
        LocalCluster cluster = findStarted(folder, installation);
        if (!ClusterProcesses.anyRuns(cluster.folder)) {
            throw new IOException(
                    "All processes of the cluster in %1$s ended. To start them again and continue their jobs from the last checkpoint: deploy/bin/cluster --dir %1$s resume"
                            .formatted(cluster.folder));
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
        Path home = folder.toAbsolutePath().normalize();
        if (!ClusterProcesses.anyStarted(home)) {
            throw new IOException(
                    "No cluster runs in %s. Start one: deploy/bin/cluster start".formatted(home));
        }
        Configuration options =
                GlobalConfiguration.loadConfiguration(home.resolve("conf").toString());
        return new LocalCluster(home, installation, options);
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
        Process process =
                processes.commands().flink(folder.resolve("log/flink.log"), arguments).start();
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
        Configuration all = new Configuration();
        all.set(CoreOptions.DEFAULT_PARALLELISM, options.get(CoreOptions.DEFAULT_PARALLELISM));
        all.set(
                CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                options.get(CheckpointingOptions.CHECKPOINTS_DIRECTORY));
        all.addAll(job);
        // The job cannot change the address of the cluster.
        options.toMap()
                .forEach(
                        (key, value) -> {
                            if (key.startsWith("high-availability") || key.startsWith("rest.")) {
                                all.setString(key, value);
                            }
                        });
        all.set(DeploymentOptions.TARGET, RemoteExecutor.NAME);
        all.set(DeploymentOptions.ATTACHED, false);
        all.set(PipelineOptions.JARS, List.of(installation.jobJar().toUri().toString()));
        return all;
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
                    "%s. Stop this cluster, and start it with more: deploy/bin/cluster start --network SIZE"
                            .formatted(e.getMessage()),
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

    /** Restarts a process that was killed. */
    public void restart(String name) throws IOException {
        processes.launch(name);
    }

    /**
     * Starts the processes that have ended, and waits until the cluster is ready. Jobs continue
     * from their last checkpoint.
     *
     * @return the names of the processes
     * @throws IOException if the cluster is not ready within 90 s; the message contains the end of
     *     a log
     */
    public List<String> resume() throws IOException {
        List<String> dead = dead();
        for (String name : dead) {
            processes.launch(name);
        }
        awaitReady(taskManagers().size());
        return dead;
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
        awaitReady(settings.taskManagers());
    }

    private void awaitReady(int taskManagers) throws IOException {
        try (ClusterRest rest = rest()) {
            processes.awaitReady(rest, taskManagers);
        }
    }
}
