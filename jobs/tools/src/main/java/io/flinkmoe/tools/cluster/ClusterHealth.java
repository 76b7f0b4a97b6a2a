// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** Says what keeps a local cluster from running jobs, and what to do about it. */
@Internal
final class ClusterHealth {

    private final LocalCluster cluster;
    private final String command;

    /**
     * @param command the command line up to the name of a command: "deploy/bin/cluster --dir DIR"
     */
    ClusterHealth(LocalCluster cluster, String command) {
        this.cluster = cluster;
        this.command = command;
    }

    /** A sentence or two for each problem; empty if the cluster can run jobs. */
    List<String> problems() throws IOException {
        List<String> problems = new ArrayList<>();
        List<String> dead = cluster.dead();
        if (!dead.isEmpty()) {
            problems.add(
                    "%s ended. To start what ended and continue the jobs from their last checkpoint: %s resume"
                            .formatted(String.join(", ", dead), command));
        }
        if (!dead.contains(ClusterProcesses.FIRST_JOB_MANAGER)
                && !dead.contains(ClusterProcesses.ZOOKEEPER)) {
            addWhatTheJobManagerMisses(problems, dead);
        }
        return problems;
    }

    private void addWhatTheJobManagerMisses(List<String> problems, List<String> dead)
            throws IOException {
        List<String> running = new ArrayList<>(cluster.taskManagers());
        running.removeAll(dead);
        try (ClusterRest rest = cluster.rest()) {
            int registered = rest.taskManagers();
            if (registered < running.size()) {
                problems.add(
                        "%d of %d task managers are registered at the JobManager. One that was paused or has just started needs up to half a minute; later, its log says more."
                                .formatted(registered, running.size()));
            }
        } catch (IOException e) {
            problems.add(
                    "The REST API reaches no leading JobManager (%s). One that was paused needs up to half a minute; later, its log says more. To replace one that never responds: kill -9 PID, then %s resume"
                            .formatted(e.getMessage(), command));
        }
    }
}
