// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import io.flinkmoe.scoring.cli.TextTable;
import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.MemorySize;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** Starts and stops a Flink cluster of real processes on this machine. */
@Command(
        name = "cluster",
        description = {
            "Run a Flink cluster of real processes on this machine.",
            "",
            "The cluster consists of ZooKeeper, JobManagers with high availability, task managers"
                    + " and the web UI. Only this machine can reach it. deploy/bin/cluster is the same"
                    + " command."
        },
        footer = {
            "  moe cluster start                      2 task managers with 2 slots each",
            "  moe cluster start --task-managers 4 --slots 1 --heap 1g",
            "  moe score --config job.yaml --cluster  run the scoring job on the cluster",
            "  moe cluster flink list                 run Flink's own command line",
            "  moe cluster status",
            "  moe cluster resume                     start what has ended, after a crash",
            "  moe cluster stop"
        })
@Internal
public final class ClusterCommand implements Runnable {

    @Spec private CommandSpec spec;

    @Option(
            names = "--dir",
            paramLabel = "DIR",
            scope = ScopeType.INHERIT,
            description =
                    "The cluster's folder for logs, checkpoints and savepoints. Default:"
                            + " jobs/tools/target/cluster in the project's folder.")
    private Path dir;

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(), "a command is missing: start, stop, status, resume or flink");
    }

    @Command(
            name = "start",
            description = "Start a cluster, and wait until it is ready.",
            footer = {"  moe cluster start --task-managers 2 --slots 2"})
    int start(
            @Option(
                            names = "--task-managers",
                            paramLabel = "N",
                            defaultValue = "2",
                            description = "The number of task managers. Default: 2.")
                    int taskManagers,
            @Option(
                            names = "--slots",
                            paramLabel = "N",
                            defaultValue = "2",
                            description = "The slots per task manager. Default: 2.")
                    int slots,
            @Option(
                            names = "--job-managers",
                            paramLabel = "N",
                            defaultValue = "1",
                            description =
                                    "The number of JobManagers; all but one are standbys. Default:"
                                            + " 1.")
                    int jobManagers,
            @Option(
                            names = "--heap",
                            paramLabel = "SIZE",
                            defaultValue = "512m",
                            description = "The Java heap of each task manager. Default: 512m.")
                    MemorySize heap,
            @Option(
                            names = "--network",
                            paramLabel = "SIZE",
                            defaultValue = "256m",
                            description =
                                    "The network memory of each task manager. A dry run of the job"
                                            + " says how much it needs. Default: 256m.")
                    MemorySize network)
            throws IOException {
        ClusterSettings settings =
                new ClusterSettings(jobManagers, taskManagers, slots, heap, network);
        print("Starting a cluster of %d task managers with %d slots each", taskManagers, slots);
        LocalCluster cluster = LocalCluster.start(folder(), Installation.here(), settings);
        show(cluster);
        return 0;
    }

    @Command(
            name = "stop",
            description = "Stop the cluster and its jobs. Checkpoints and savepoints remain.",
            footer = {"  moe cluster stop"})
    int stop() throws IOException {
        LocalCluster.findStarted(folder(), Installation.here()).stop();
        print("The cluster has stopped.");
        return 0;
    }

    @Command(
            name = "status",
            description =
                    "Show the cluster's processes. The command fails if one of them has ended, if no"
                            + " JobManager leads, or if a task manager is not registered, and says"
                            + " how to go on.",
            footer = {"  moe cluster status"})
    int status() throws IOException {
        LocalCluster cluster = LocalCluster.findStarted(folder(), Installation.here());
        show(cluster);
        List<String> problems = new ClusterHealth(cluster).problems();
        problems.forEach(problem -> print("%n%s", problem));
        return problems.isEmpty() ? 0 : ExitCode.SOFTWARE;
    }

    @Command(
            name = "resume",
            description =
                    "Start the processes that have ended, and wait until the cluster is ready. Jobs"
                            + " continue from their last checkpoint.",
            footer = {"  moe cluster resume"})
    int resume() throws IOException {
        LocalCluster cluster = LocalCluster.findStarted(folder(), Installation.here());
        List<String> started = cluster.resume();
        print(started.isEmpty() ? "All processes run." : "Started " + String.join(", ", started));
        show(cluster);
        return 0;
    }

    @Command(
            name = "flink",
            description = {
                "Run Flink's own command line for this cluster: list, run, cancel, savepoint,"
                        + " stop.",
                "",
                "Write -- before Flink's own options."
            },
            footer = {
                "  moe cluster flink list",
                "  moe cluster flink -- run -d \\",
                "      jobs/scoring/target/flink-moe-scoring-VERSION-job.jar \\",
                "      --config job.yaml",
                "  moe cluster flink stop JOB"
            })
    int flink(
            @Parameters(paramLabel = "ARGUMENT", arity = "1..*", description = "Flink's arguments.")
                    List<String> arguments)
            throws IOException {
        LocalCluster cluster = LocalCluster.find(folder(), Installation.here());
        ClusterHealth health = new ClusterHealth(cluster);
        // Flink's command line would fail after some time, with stack traces.
        Optional<String> unreachable = health.unreachable();
        if (unreachable.isPresent()) {
            throw new IOException(unreachable.get());
        }
        if (cluster.flink(arguments, spec.commandLine().getOut()) == 0) {
            return 0;
        }
        health.problems().forEach(problem -> print("%n%s", problem));
        return ExitCode.SOFTWARE;
    }

    private Path folder() throws IOException {
        return dir == null ? Installation.here().clusterFolder() : dir;
    }

    private void show(LocalCluster cluster) throws IOException {
        TextTable table = new TextTable("process", ">pid", "log");
        for (ClusterMember member : cluster.members()) {
            table.row(member.name(), member.pid() < 0 ? "dead" : member.pid(), member.log());
        }
        PrintWriter out = spec.commandLine().getOut();
        out.printf("%n%s%nWeb UI: %s%n", table, cluster.webUrl());
        out.flush();
    }

    private void print(String format, Object... arguments) {
        spec.commandLine().getOut().printf(format + "%n", arguments);
        spec.commandLine().getOut().flush();
    }
}
