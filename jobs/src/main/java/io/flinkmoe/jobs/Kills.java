package io.flinkmoe.jobs;

import io.flinkmoe.jobs.KillPlan.Kill;
import io.flinkmoe.jobs.KillPlan.Moment;
import io.flinkmoe.jobs.cluster.Checkpoint;
import io.flinkmoe.jobs.cluster.ClusterRest;
import java.io.IOException;
import java.util.Comparator;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.apache.flink.api.common.JobID;

/** Kills processes under a running job with SIGKILL, starts them again, and times the recovery. */
final class Kills {

    private static final long LONGEST_PAUSE_MILLIS = 2_000;
    private static final long LOOK_NANOS = 1_000_000_000;
    private static final long SHORTEST_DELAY_NANOS = 2_000_000;

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
     * Kills, starts again, and waits until the job has committed what came after.
     *
     * @throws IOException if it does not recover
     */
    void execute(Kill kill) throws IOException, InterruptedException {
        site.await(
                "a checkpoint has begun since the last kill",
                job,
                () -> firstSinceKill(false) != null);
        Checkpoint during = awaitMoment(kill);
        long killedAt = System.currentTimeMillis();
        for (String victim : kill.victims()) {
            if (victim.equals(KillPlan.BROKER)) {
                site.broker().kill();
            } else {
                site.cluster().kill(victim);
            }
        }
        lastKill = System.currentTimeMillis();
        for (String victim : kill.victims()) {
            if (!victim.equals(KillPlan.BROKER)) {
                site.cluster().restart(victim);
            }
        }
        if (kill.victims().contains(KillPlan.BROKER)) {
            site.broker().restart();
        }
        site.await("it has recovered", job, () -> firstSinceKill(true) != null);
        Checkpoint after = firstSinceKill(true);
        out.accept(
                String.format(
                        Locale.ROOT,
                        "%3d  %-31s %-25s %5.1f s",
                        ++count,
                        String.join(" and ", kill.victims()),
                        moment(kill, during, killedAt),
                        (after.began() + after.duration() - killedAt) / 1e3));
    }

    private String moment(Kill kill, Checkpoint during, long killedAt) throws IOException {
        if (during == null) {
            return "";
        }
        String what = kill.moment() == Moment.SAVEPOINT ? "savepoint" : "checkpoint";
        String when = hasHit(during, killedAt) ? "during" : "just after";
        return "%s %s %d".formatted(when, what, during.id());
    }

    /** Whether a checkpoint had not completed when the kill came. */
    private boolean hasHit(Checkpoint during, long killedAt) throws IOException {
        for (Checkpoint now : rest.checkpoints(job)) {
            if (now.id() == during.id()) {
                return !now.isCompleted() || now.began() + now.duration() > killedAt;
            }
        }
        // Another JobManager remembers only which one it has restored.
        return rest.restoredCheckpoint(job) != during.id();
    }

    /** Waits for the moment, and tells the checkpoint that it is in the midst of, if it should. */
    private Checkpoint awaitMoment(Kill kill) throws IOException, InterruptedException {
        if (kill.moment() == Moment.ANY) {
            Thread.sleep((long) (kill.delay() * LONGEST_PAUSE_MILLIS));
            return null;
        }
        boolean savepoint = kill.moment() == Moment.SAVEPOINT;
        long usual =
                rest.checkpoints(job).stream()
                        .filter(Checkpoint::isCompleted)
                        .mapToLong(Checkpoint::duration)
                        .findFirst()
                        .orElse(0);
        // Shorter with each try: a savepoint may be over sooner than usual.
        long[] delayNanos = {(long) (kill.delay() * usual / 2 * 1e6)};
        Checkpoint[] begun = new Checkpoint[1];
        site.await(
                "it is seen in the midst of a checkpoint or savepoint",
                job,
                () -> {
                    if (savepoint) {
                        rest.beginSavepoint(job);
                    }
                    begun[0] = inTheMidst(savepoint, delayNanos[0]);
                    delayNanos[0] /= 2;
                    return begun[0] != null;
                });
        return begun[0];
    }

    /** Waits for a moment; null if none comes soon, or it has passed before the delay has. */
    private Checkpoint inTheMidst(boolean savepoint, long delayNanos) throws IOException {
        long until = System.nanoTime() + LOOK_NANOS;
        while (System.nanoTime() < until) {
            Checkpoint seen = underWay(savepoint);
            if (seen != null && delayNanos >= SHORTEST_DELAY_NANOS) {
                LockSupport.parkNanos(delayNanos);
                return underWay(savepoint);
            } else if (seen != null) {
                return seen;
            }
        }
        return null;
    }

    private Checkpoint underWay(boolean savepoint) throws IOException {
        for (Checkpoint checkpoint : rest.checkpoints(job)) {
            if (checkpoint.isInProgress() && checkpoint.isSavepoint() == savepoint) {
                return checkpoint;
            }
        }
        return null;
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
