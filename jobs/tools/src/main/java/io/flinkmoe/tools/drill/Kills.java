package io.flinkmoe.tools.drill;

import io.flinkmoe.tools.cluster.Checkpoint;
import io.flinkmoe.tools.cluster.ClusterRest;
import io.flinkmoe.tools.drill.KillPlan.Kill;
import io.flinkmoe.tools.drill.KillPlan.Moment;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;

/**
 * Kills processes under a running job with SIGKILL, starts them again, and times the recovery.
 * Whether a checkpoint is under way is seen from its folder: sooner than from the JobManager's
 * statistics, and also after its death.
 */
@Internal
final class Kills {

    private static final long LONGEST_PAUSE_MILLIS = 2_000;
    private static final long LOOK_NANOS = 1_000_000_000;
    private static final long POLL_NANOS = 200_000;
    private static final int MOST_ATTEMPTS = 5;

    private final DrillSite site;
    private final JobID job;
    private final ClusterRest rest;
    private final Consumer<String> out;
    private long lastKill;
    private int count;

    /**
     * @param out gets a line per kill
     */
    Kills(DrillSite site, JobID job, Consumer<String> out) {
        this.site = site;
        this.job = job;
        this.out = out;
        rest = site.rest();
        lastKill = System.currentTimeMillis();
    }

    /**
     * Kills, starts again, and waits until the job has committed what came after. A kill that was
     * to hit a checkpoint or savepoint, and missed it, does not count, and is tried again.
     *
     * @throws IOException if the job does not recover, or the kill misses time and again
     */
    void execute(Kill kill) throws IOException, InterruptedException {
        for (int attempt = 1; !strike(kill); attempt++) {
            if (attempt == MOST_ATTEMPTS) {
                throw new IOException(
                        "%d kills of %s were to hit a %s, and came too late: it had completed"
                                .formatted(
                                        attempt,
                                        String.join(" and ", kill.victims()),
                                        name(kill.moment())));
            }
        }
    }

    /** Kills once, and tells whether that was at the moment it should be. */
    private boolean strike(Kill kill) throws IOException, InterruptedException {
        site.jobs()
                .await(
                        "a checkpoint has begun since the last kill",
                        job,
                        () -> firstSinceKill(false) != null);
        Path during = awaitMoment(kill);
        long killedAt = System.currentTimeMillis();
        for (String victim : kill.victims()) {
            if (victim.equals(KillPlan.BROKER)) {
                site.broker().kill();
            } else {
                site.cluster().kill(victim);
            }
        }
        lastKill = System.currentTimeMillis();
        boolean hit = during == null || !completedBefore(during, killedAt);
        for (String victim : kill.victims()) {
            if (!victim.equals(KillPlan.BROKER)) {
                site.cluster().restart(victim);
            }
        }
        if (kill.victims().contains(KillPlan.BROKER)) {
            site.broker().restart();
        }
        Checkpoint after =
                site.jobs().awaitAnswer("it has recovered", job, () -> firstSinceKill(true));
        String moment = during == null ? "" : "%s a " + name(kill.moment());
        out.accept(
                String.format(
                        Locale.ROOT,
                        "%4s  %-31s %-23s %5.1f s",
                        hit ? ++count : "-",
                        String.join(" and ", kill.victims()),
                        moment.formatted(hit ? "during" : "just after"),
                        (after.began() + after.duration() - killedAt) / 1e3));
        return hit;
    }

    private static String name(Moment moment) {
        return moment.name().toLowerCase(Locale.ROOT);
    }

    /**
     * Waits until the job is in the midst of what the kill is to hit.
     *
     * @return the folder of that checkpoint or savepoint; null if any moment will do
     */
    private Path awaitMoment(Kill kill) throws IOException, InterruptedException {
        if (kill.moment() == Moment.ANY) {
            Thread.sleep((long) (kill.delay() * LONGEST_PAUSE_MILLIS));
            return null;
        }
        boolean savepoint = kill.moment() == Moment.SAVEPOINT;
        List<Checkpoint> checkpoints =
                site.jobs()
                        .awaitAnswer("its checkpoints are told", job, () -> rest.checkpoints(job));
        long usual =
                checkpoints.stream()
                        .filter(Checkpoint::isCompleted)
                        .mapToLong(Checkpoint::duration)
                        .findFirst()
                        .orElse(0);
        // Shorter with each try: it may be over sooner than usual.
        long[] delayNanos = {(long) (kill.delay() * usual * 1e6)};
        Path[] begun = new Path[1];
        site.jobs()
                .await(
                        "it is seen in the midst of a " + name(kill.moment()),
                        job,
                        () -> {
                            Set<Path> past = site.snapshots(job, savepoint);
                            if (savepoint) {
                                rest.beginSavepoint(job);
                            }
                            begun[0] = nextSnapshot(past, savepoint);
                            LockSupport.parkNanos(delayNanos[0]);
                            delayNanos[0] /= 2;
                            return begun[0] != null && !Files.exists(metadata(begun[0]));
                        });
        return begun[0];
    }

    /** Waits for the next checkpoint or savepoint to begin; null if none does soon. */
    private Path nextSnapshot(Set<Path> past, boolean savepoint) throws IOException {
        long until = System.nanoTime() + LOOK_NANOS;
        while (System.nanoTime() < until) {
            for (Path folder : site.snapshots(job, savepoint)) {
                if (!past.contains(folder)) {
                    return folder;
                }
            }
            LockSupport.parkNanos(POLL_NANOS);
        }
        return null;
    }

    /** What a checkpoint or savepoint writes last: with it, it is complete. */
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

    /** The first checkpoint that began after the last kill, or null. */
    private Checkpoint firstSinceKill(boolean completed) throws IOException {
        return rest.checkpoints(job).stream()
                .filter(checkpoint -> checkpoint.began() >= lastKill)
                .filter(checkpoint -> !completed || checkpoint.isCompleted())
                .min(Comparator.comparingLong(Checkpoint::id))
                .orElse(null);
    }
}
