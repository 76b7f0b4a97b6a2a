// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.HighAvailabilityOptions;

/** Says what keeps a local cluster from running jobs, and what to do about it. */
@Internal
final class ClusterHealth {

    private static final int PROBE_MILLIS = 3_000;

    private final LocalCluster cluster;

    ClusterHealth(LocalCluster cluster) {
        this.cluster = cluster;
    }

    /** A sentence or two for each problem; empty if the cluster can run jobs. */
    List<String> problems() throws IOException {
        List<String> problems = new ArrayList<>();
        List<String> dead = cluster.dead();
        if (!dead.isEmpty()) {
            problems.add(ended(dead));
        }
        if (!dead.contains(ClusterProcesses.FIRST_JOB_MANAGER)
                && !dead.contains(ClusterProcesses.ZOOKEEPER)) {
            unreachable().or(this::unregistered).ifPresent(problems::add);
        }
        return problems;
    }

    /** What keeps Flink's command line from reaching a leading JobManager. */
    Optional<String> unreachable() throws IOException {
        List<String> dead = cluster.dead();
        if (dead.contains(ClusterProcesses.ZOOKEEPER) || dead.containsAll(cluster.jobManagers())) {
            return Optional.of(ended(dead));
        }
        if (!zooKeeperResponds()) {
            long pid = member(ClusterProcesses.ZOOKEEPER).pid();
            return Optional.of(
                    "zookeeper (process %1$d) does not respond. If it was paused, continue it: kill -CONT %1$d. To replace it: kill -9 %1$d, then %2$s"
                            .formatted(pid, cluster.command("resume")));
        }
        if (dead.contains(ClusterProcesses.FIRST_JOB_MANAGER)) {
            return Optional.empty(); // A standby leads, or will; only it has the web UI then.
        }
        try (ClusterRest rest = cluster.rest()) {
            rest.taskManagers();
            return Optional.empty();
        } catch (IOException e) {
            ClusterMember first = member(ClusterProcesses.FIRST_JOB_MANAGER);
            return Optional.of(
                    "The REST API reaches no leading JobManager (%s). One that was paused or has just started needs up to a minute; later, its log says more: %s. To replace %s if it never responds: kill -9 %d, then %s"
                            .formatted(
                                    e.getMessage(),
                                    first.log(),
                                    first.name(),
                                    first.pid(),
                                    cluster.command("resume")));
        }
    }

    private String ended(List<String> dead) {
        return "%s ended. To start what ended and continue the jobs from their last checkpoint: %s"
                .formatted(String.join(", ", dead), cluster.command("resume"));
    }

    private Optional<String> unregistered() {
        try (ClusterRest rest = cluster.rest()) {
            List<String> running = new ArrayList<>(cluster.taskManagers());
            running.removeAll(cluster.dead());
            int registered = rest.taskManagers();
            return registered >= running.size()
                    ? Optional.empty()
                    : Optional.of(
                            "%d of %d task managers are registered at the JobManager. One that was paused or has just started needs up to a minute; later, its log says more."
                                    .formatted(registered, running.size()));
        } catch (IOException e) {
            return Optional.of("The JobManager stopped responding: " + e.getMessage());
        }
    }

    private ClusterMember member(String name) throws IOException {
        return cluster.members().stream()
                .filter(member -> member.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IOException("the cluster has no process " + name));
    }

    /** Sends the one command that ZooKeeper answers by default. A paused process still accepts. */
    private boolean zooKeeperResponds() {
        String[] address =
                cluster.options().get(HighAvailabilityOptions.HA_ZOOKEEPER_QUORUM).split(":");
        try (Socket socket = new Socket()) {
            socket.setSoTimeout(PROBE_MILLIS);
            socket.connect(
                    new InetSocketAddress(address[0], Integer.parseInt(address[1])), PROBE_MILLIS);
            socket.getOutputStream().write("srvr".getBytes(US_ASCII));
            return socket.getInputStream().read() >= 0;
        } catch (IOException e) {
            return false;
        }
    }
}
