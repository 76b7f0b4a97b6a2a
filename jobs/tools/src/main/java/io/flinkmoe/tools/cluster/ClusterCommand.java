package io.flinkmoe.tools.cluster;

import io.flinkmoe.scoring.cli.TextTable;
import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
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

/** A Flink cluster of real processes on this machine, from laptop to cluster in one step. */
@Command(
        name = "cluster",
        description = {
            "A Flink cluster of real processes on this machine.",
            "",
            "ZooKeeper, JobManagers with high availability, task managers and the web UI, from the"
                    + " jars that Maven resolved; only this machine reaches it. deploy/bin/cluster"
                    + " is the same command."
        },
        footer = {
            "  moe cluster start                      one JobManager, two task managers of two slots",
            "  moe cluster start --task-managers 4 --slots 1 --heap 1g",
            "  moe score --config job.yaml --cluster  run the scoring job there",
            "  moe cluster flink list                 Flink's own command line, for this cluster",
            "  moe cluster status",
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
                    "Where the cluster keeps its files: logs, checkpoints, savepoints. Default:"
                            + " jobs/tools/target/cluster of the project.")
    private Path dir;

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(), "say what to do: start, stop, status or flink");
    }

    @Command(
            name = "start",
            description = "Start a cluster, and wait until it is up.",
            footer = {"  moe cluster start --task-managers 2 --slots 2"})
    int start(
            @Option(
                            names = "--task-managers",
                            paramLabel = "N",
                            defaultValue = "2",
                            description = "Task managers. Default: 2.")
                    int taskManagers,
            @Option(
                            names = "--slots",
                            paramLabel = "N",
                            defaultValue = "2",
                            description = "Slots per task manager. Default: 2.")
                    int slots,
            @Option(
                            names = "--job-managers",
                            paramLabel = "N",
                            defaultValue = "1",
                            description = "JobManagers; all but one stand by. Default: 1.")
                    int jobManagers,
            @Option(
                            names = "--heap",
                            paramLabel = "SIZE",
                            defaultValue = "512m",
                            description = "Java heap of a task manager. Default: 512m.")
                    MemorySize heap)
            throws IOException {
        ClusterSettings settings = new ClusterSettings(jobManagers, taskManagers, slots, heap);
        say("Starting a cluster of %d task managers with %d slots", taskManagers, slots);
        LocalCluster cluster = LocalCluster.start(folder(), Installation.here(), settings);
        show(cluster);
        return 0;
    }

    @Command(
            name = "stop",
            description =
                    "Stop the cluster. Its jobs end with it; checkpoints and savepoints stay.",
            footer = {"  moe cluster stop"})
    int stop() throws IOException {
        LocalCluster.find(folder(), Installation.here()).stop();
        say("The cluster has stopped.");
        return 0;
    }

    @Command(
            name = "status",
            description = "Show the cluster's processes; fails if one of them does not run.",
            footer = {"  moe cluster status"})
    int status() throws IOException {
        LocalCluster cluster = LocalCluster.find(folder(), Installation.here());
        show(cluster);
        boolean whole = cluster.members().stream().allMatch(member -> member.pid() >= 0);
        return whole ? 0 : ExitCode.SOFTWARE;
    }

    @Command(
            name = "flink",
            description = {
                "Flink's own command line, for this cluster: list, run, cancel, savepoint, stop.",
                "",
                "Write -- before Flink's own options."
            },
            footer = {
                "  moe cluster flink list",
                "  moe cluster flink -- run -d jobs/scoring/target/flink-moe-scoring-VERSION-job.jar \\",
                "                       score --config job.yaml",
                "  moe cluster flink stop JOB"
            })
    int flink(
            @Parameters(paramLabel = "ARGUMENT", arity = "1..*", description = "Flink's arguments.")
                    List<String> arguments)
            throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        int exitCode = LocalCluster.find(folder(), Installation.here()).flink(arguments, out);
        return exitCode == 0 ? 0 : ExitCode.SOFTWARE;
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

    private void say(String format, Object... arguments) {
        spec.commandLine().getOut().printf(format + "%n", arguments);
        spec.commandLine().getOut().flush();
    }
}
