// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/** Waits until a local cluster can run jobs. */
@Internal
final class Readiness {

    private static final Duration TIMEOUT = Duration.ofSeconds(90);
    private static final long POLL_MILLIS = 200;

    /** What a task manager logs when a JobManager has accepted it. */
    private static final String REGISTERED = "Successful registration at resource manager";

    private final ClusterProcesses processes;
    private final ClusterRest rest;
    private final Duration timeout;

    /**
     * What must be there.
     *
     * @param taskManagers how many task managers must be registered
     * @param known the ids of those that were registered before some were started
     * @param started how many were started; so many ids must be new
     * @param jobs how many jobs the JobManager must know
     * @param stable how long all this must last
     */
    record Goal(int taskManagers, Set<String> known, int started, long jobs, Duration stable) {

        /** A new cluster. */
        static Goal ofStart(int taskManagers) {
            return new Goal(taskManagers, Set.of(), taskManagers, 0, Duration.ZERO);
        }
    }

    /** What is missing, and the process whose log may say why. */
    private record Missing(String what, ClusterProcess process) {}

    Readiness(ClusterProcesses processes, ClusterRest rest) {
        this(processes, rest, TIMEOUT);
    }

    Readiness(ClusterProcesses processes, ClusterRest rest, Duration timeout) {
        this.processes = processes;
        this.rest = rest;
        this.timeout = timeout;
    }

    /**
     * Waits.
     *
     * @throws IOException if a process ends, or after 90 s; the message says what is missing, and
     *     contains the end of a log
     */
    void await(Goal goal) throws IOException {
        long deadline = System.nanoTime() + timeout.toNanos();
        long readySince = 0;
        while (readySince == 0 || System.nanoTime() - readySince < goal.stable.toNanos()) {
            pause();
            requireAlive();
            Missing missing = missing(goal);
            if (missing == null) {
                readySince = readySince == 0 ? System.nanoTime() : readySince;
            } else if (System.nanoTime() > deadline) {
                throw new IOException(
                        "The cluster was not ready within %d s: %s; the end of its log, %s:%s"
                                .formatted(
                                        timeout.toSeconds(),
                                        missing.what,
                                        missing.process.log(),
                                        missing.process.tail()));
            } else {
                readySince = 0;
            }
        }
    }

    private Missing missing(Goal goal) throws IOException {
        ClusterProcess jobManager = process(ClusterProcesses.FIRST_JOB_MANAGER);
        try {
            Set<String> ids = rest.taskManagerIds();
            Set<String> added = new HashSet<>(ids);
            added.removeAll(goal.known);
            if (ids.size() < goal.taskManagers || added.size() < goal.started) {
                ClusterProcess late = unregistered();
                return new Missing(
                        "%d of %d task managers are registered, and %s is not"
                                .formatted(
                                        Math.min(ids.size(), added.size() + running(goal)),
                                        goal.taskManagers,
                                        late.name()),
                        late);
            }
            int jobs = rest.jobs();
            return jobs >= goal.jobs
                    ? null
                    : new Missing(
                            "%d of %d jobs are continued by %s"
                                    .formatted(jobs, goal.jobs, jobManager.name()),
                            jobManager);
        } catch (IOException e) {
            return new Missing(
                    "%s does not lead (%s)".formatted(jobManager.name(), e.getMessage()),
                    jobManager);
        }
    }

    /** The task managers that were not started. */
    private static int running(Goal goal) {
        return goal.taskManagers - goal.started;
    }

    /** The first task manager whose log has no registration, or the first of all. */
    private ClusterProcess unregistered() throws IOException {
        List<String> names = processes.names(ClusterProcesses.TASK_MANAGER);
        for (String name : names) {
            if (!isRegistered(process(name))) {
                return process(name);
            }
        }
        return process(names.get(0));
    }

    private static boolean isRegistered(ClusterProcess process) {
        try {
            return Files.readString(process.log()).contains(REGISTERED);
        } catch (IOException e) {
            return false; // It has no log yet.
        }
    }

    private ClusterProcess process(String name) throws IOException {
        return processes.all().stream()
                .filter(process -> process.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IOException("the cluster has no process " + name));
    }

    private void requireAlive() throws IOException {
        for (ClusterProcess process : processes.all()) {
            if (!process.isAlive()) {
                throw new IOException(
                        "%s ended; the end of its log, %s:%s"
                                .formatted(process.name(), process.log(), process.tail()));
            }
        }
    }

    private static void pause() throws IOException {
        try {
            Thread.sleep(POLL_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the cluster was starting", e);
        }
    }
}
