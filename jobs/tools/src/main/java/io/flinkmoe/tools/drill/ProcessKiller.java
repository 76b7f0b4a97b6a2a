// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.tools.cluster.Checkpoint;
import io.flinkmoe.tools.cluster.ClusterRest;
import io.flinkmoe.tools.cluster.PausedTaskManager;
import io.flinkmoe.tools.drill.KillPlan.Kill;
import io.flinkmoe.tools.drill.KillPlan.Moment;
import io.flinkmoe.tools.drill.RepeatedAnswers.ZombieTime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;

/**
 * Kills processes under a running job with SIGKILL, restarts them, and measures the recovery time.
 * Or pauses a task manager until the job runs without it, and lets it go on as a zombie. The folder
 * of a checkpoint shows that the checkpoint is in progress. It appears earlier than the
 * JobManager's statistics, and can be read even if the JobManager was killed.
 */
@Internal
final class ProcessKiller {

    private static final long MAX_PAUSE_MILLIS = 2_000;
    private static final long SEARCH_NANOS = 1_000_000_000;
    private static final long POLL_NANOS = 200_000;
    private static final int MAX_ATTEMPTS = 5;

    private final DrillEnvironment environment;
    private final JobID job;
    private final ClusterRest rest;
    private final Consumer<String> out;
    private final Map<String, String> replacements = new HashMap<>();
    private final List<ZombieTime> zombies = new ArrayList<>();
    private long lastKill;
    private int count;

    /**
     * @param out receives one line per kill
     */
    ProcessKiller(DrillEnvironment environment, JobID job, Consumer<String> out) {
        this.environment = environment;
        this.job = job;
        this.out = out;
        rest = environment.rest();
        lastKill = System.currentTimeMillis();
    }

    /**
     * Kills and restarts processes, and waits until the job has completed a later checkpoint. A
     * kill that misses its checkpoint or savepoint does not count and is repeated.
     *
     * @throws IOException if the job does not recover, or the kill misses repeatedly
     */
    void execute(Kill kill) throws IOException, InterruptedException {
        if (kill.pauses()) {
            pause(kill);
            return;
        }
        for (int attempt = 1; !killOnce(kill); attempt++) {
            if (attempt == MAX_ATTEMPTS) {
                throw new IOException(
                        "%d kills of %s came too late: the %s had already completed"
                                .formatted(
                                        attempt,
                                        String.join(" and ", kill.victims()),
                                        name(kill.moment())));
            }
        }
    }

    /** When zombies wrote. */
    List<ZombieTime> zombies() {
        return zombies;
    }

    private void pause(Kill kill) throws IOException, InterruptedException {
        awaitCheckpointAfterKill();
        awaitMoment(kill);
        String victim = kill.victims().get(0);
        String name = current(victim);
        lastKill = System.currentTimeMillis();
        PausedTaskManager paused = PausedTaskManager.pause(environment.cluster(), name);
        replacements.put(victim, paused.replacement());
        Checkpoint after = awaitRecovery();
        double seconds = (after.triggered() + after.duration() - lastKill) / 1e3;
        lastKill = System.currentTimeMillis();
        paused.resume();
        awaitRecovery();
        paused.kill();
        zombies.add(new ZombieTime(lastKill, System.currentTimeMillis()));
        print(String.valueOf(++count), name, "paused until replaced", seconds);
    }

    /** The name of the process that has taken the place of another one. */
    private String current(String name) {
        return replacements.getOrDefault(name, name);
    }

    private void awaitCheckpointAfterKill() throws IOException, InterruptedException {
        environment
                .jobs()
                .await(
                        "a checkpoint has started since the last kill",
                        job,
                        () -> firstSinceKill(false) != null);
    }

    private Checkpoint awaitRecovery() throws IOException, InterruptedException {
        return environment.jobs().awaitResult("it has recovered", job, () -> firstSinceKill(true));
    }

    private void print(String number, String victims, String moment, double seconds) {
        out.accept(
                String.format(
                        Locale.ROOT, "%4s  %-31s %-23s %5.1f s", number, victims, moment, seconds));
    }

    /** Kills once. Returns whether the kill hit the planned moment. */
    private boolean killOnce(Kill kill) throws IOException, InterruptedException {
        awaitCheckpointAfterKill();
        Path during = awaitMoment(kill);
        List<String> victims = kill.victims().stream().map(this::current).toList();
        long killedAt = System.currentTimeMillis();
        for (String victim : victims) {
            if (victim.equals(KillPlan.BROKER)) {
                environment.broker().kill();
            } else {
                environment.cluster().kill(victim);
            }
        }
        lastKill = System.currentTimeMillis();
        boolean hit = during == null || !completedBefore(during, killedAt);
        for (String victim : victims) {
            if (!victim.equals(KillPlan.BROKER)) {
                environment.cluster().restart(victim);
            }
        }
        if (kill.victims().contains(KillPlan.BROKER)) {
            environment.broker().restart();
        }
        Checkpoint after = awaitRecovery();
        String moment = during == null ? "" : "%s a " + name(kill.moment());
        print(
                hit ? String.valueOf(++count) : "-",
                String.join(" and ", victims),
                moment.formatted(hit ? "during" : "just after"),
                (after.triggered() + after.duration() - killedAt) / 1e3);
        return hit;
    }

    private static String name(Moment moment) {
        return moment.name().toLowerCase(Locale.ROOT);
    }

    /**
     * Waits for the planned moment of a kill.
     *
     * @return the folder of the checkpoint or savepoint in progress; null if the kill can happen at
     *     any moment
     */
    private Path awaitMoment(Kill kill) throws IOException, InterruptedException {
        if (kill.moment() == Moment.ANY) {
            Thread.sleep((long) (kill.delay() * MAX_PAUSE_MILLIS));
            return null;
        }
        boolean savepoint = kill.moment() == Moment.SAVEPOINT;
        List<Checkpoint> checkpoints =
                environment
                        .jobs()
                        .awaitResult(
                                "its checkpoints are reported", job, () -> rest.checkpoints(job));
        long usual =
                checkpoints.stream()
                        .filter(Checkpoint::isCompleted)
                        .mapToLong(Checkpoint::duration)
                        .findFirst()
                        .orElse(0);
        // Halved with each attempt, because the checkpoint can be shorter than usual.
        long[] delayNanos = {(long) (kill.delay() * usual * 1e6)};
        Path[] started = new Path[1];
        environment
                .jobs()
                .await(
                        "it is in the middle of a " + name(kill.moment()),
                        job,
                        () -> {
                            Set<Path> past = environment.snapshots(job, savepoint);
                            if (savepoint) {
                                rest.triggerSavepoint(job);
                            }
                            started[0] = nextSnapshot(past, savepoint);
                            LockSupport.parkNanos(delayNanos[0]);
                            delayNanos[0] /= 2;
                            return started[0] != null && !Files.exists(metadata(started[0]));
                        });
        return started[0];
    }

    /** Waits for the next checkpoint or savepoint to begin. Returns null if none begins soon. */
    private Path nextSnapshot(Set<Path> past, boolean savepoint) throws IOException {
        long until = System.nanoTime() + SEARCH_NANOS;
        while (System.nanoTime() < until) {
            for (Path folder : environment.snapshots(job, savepoint)) {
                if (!past.contains(folder)) {
                    return folder;
                }
            }
            LockSupport.parkNanos(POLL_NANOS);
        }
        return null;
    }

    /** The file that a checkpoint or savepoint writes last, and which completes it. */
    private static Path metadata(Path snapshot) {
        return snapshot.resolve("_metadata");
    }

    private static boolean completedBefore(Path snapshot, long time) throws IOException {
        try {
            return Files.getLastModifiedTime(metadata(snapshot)).toMillis() <= time;
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    /** The first checkpoint that was triggered after the last kill, or null. */
    private Checkpoint firstSinceKill(boolean completed) throws IOException {
        return rest.checkpoints(job).stream()
                .filter(checkpoint -> checkpoint.triggered() >= lastKill)
                .filter(checkpoint -> !completed || checkpoint.isCompleted())
                .min(Comparator.comparingLong(Checkpoint::id))
                .orElse(null);
    }
}
