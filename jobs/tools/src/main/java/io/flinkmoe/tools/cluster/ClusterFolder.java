// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import io.flinkmoe.model.FileErrors;
import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.FileUtils;

/**
 * The folder of a local cluster. Only a folder that a cluster has made is ever cleared: it has a
 * mark. Others are used only if they are empty.
 */
@Internal
final class ClusterFolder {

    /** The file that says that a cluster has made the folder. */
    static final String MARK = ".flink-moe-cluster";

    /** What a file system itself keeps in its root. */
    private static final String LOST_AND_FOUND = "lost+found";

    /** The JobManagers keep a file of this name for each job that has not ended. */
    private static final String JOB = "submittedExecutionPlan";

    private static final String HA = "ha";

    private final Path path;
    private final String command;

    ClusterFolder(Path folder, Installation installation) {
        path = folder.toAbsolutePath().normalize();
        command =
                path.equals(installation.clusterFolder())
                        ? "deploy/bin/cluster "
                        : "deploy/bin/cluster --dir %s ".formatted(quoted(path.toString()));
    }

    private static String quoted(String text) {
        return text.matches("[\\w./+-]+") ? text : "'" + text.replace("'", "'\\''") + "'";
    }

    /** The absolute path. */
    Path path() {
        return path;
    }

    /**
     * A command line for the cluster in this folder.
     *
     * @param words what follows the folder: "resume"
     */
    String command(String words) {
        return command + words;
    }

    /** Whether a cluster was started here and not stopped, even if it has ended. */
    boolean hasCluster() throws IOException {
        return Files.exists(path.resolve(MARK)) && ClusterProcesses.anyStarted(path);
    }

    /** The number of jobs that have not ended: a JobManager that starts here continues them. */
    long jobs() throws IOException {
        Path ha = path.resolve(HA);
        if (!Files.isDirectory(ha)) {
            return 0;
        }
        try (Stream<Path> files =
                Files.find(ha, 3, (file, type) -> file.getFileName().toString().startsWith(JOB))) {
            return files.count();
        }
    }

    /**
     * Prepares the folder for a new cluster: removes what an earlier one has left, except for
     * checkpoints and savepoints.
     *
     * @throws IOException if a cluster runs here, if jobs of one can be continued, or if something
     *     else is in the folder; the message says what to do
     */
    void prepare() throws IOException {
        requireOwn();
        if (hasCluster()) {
            if (ClusterProcesses.anyRuns(path)) {
                throw new IOException(
                        "A cluster already runs in %s. Stop it first: %s"
                                .formatted(path, command("stop")));
            }
            requireNoJobs();
        }
        OwnerOnly.createFolder(path);
        OwnerOnly.createFile(path.resolve(MARK));
        for (String past : List.of("pids", "conf", "log", HA, ClusterProcesses.ZOOKEEPER, "tmp")) {
            FileUtils.deleteDirectory(path.resolve(past).toFile());
        }
        OwnerOnly.createFolder(path.resolve("conf"));
        OwnerOnly.createFolder(path.resolve("tmp"));
    }

    private void requireNoJobs() throws IOException {
        long jobs = jobs();
        if (jobs > 0) {
            throw new IOException(
                    "The cluster in %s ended without being stopped; %s. To continue: %s. To discard: %s, then start again"
                            .formatted(
                                    path,
                                    jobs == 1
                                            ? "1 job can continue from its last checkpoint"
                                            : jobs
                                                    + " jobs can continue from their last checkpoint",
                                    command("resume"),
                                    command("stop")));
        }
    }

    private void requireOwn() throws IOException {
        if (!Files.isDirectory(path)) {
            if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                throw new IOException(
                        "The cluster's folder is %s; %s. Choose another: deploy/bin/cluster --dir DIR start"
                                .formatted(path, FileErrors.notAFolder(path)));
            }
            return;
        }
        if (Files.exists(path.resolve(MARK))) {
            return;
        }
        try (Stream<Path> entries = Files.list(path)) {
            if (entries.anyMatch(entry -> !entry.endsWith(LOST_AND_FOUND))) {
                throw new IOException(
                        "The cluster's folder is %s, which is not empty and was not made by a cluster (it has no file %s). Choose a new or an empty one: deploy/bin/cluster --dir DIR start"
                                .formatted(path, MARK));
            }
        }
    }
}
