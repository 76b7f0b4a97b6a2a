package io.flinkmoe.jobs;

import io.flinkmoe.jobs.KillPlan.Kill;
import io.flinkmoe.jobs.KillPlan.Moment;
import io.flinkmoe.jobs.cluster.Checkpoint;
import io.flinkmoe.jobs.cluster.ClusterRest;
import java.io.IOException;
import java.util.Comparator;
import java.util.Locale;
import java.util.function.Consumer;
import org.apache.flink.api.common.JobID;

/** Kills processes under a running job with SIGKILL, starts them again, and times the recovery. */
final class Kills {

    private static final long LONGEST_PAUSE_MILLIS = 2_000;
    private static final long LOOK_NANOS = 1_000_000_000;

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
                        "%3d  %-28s %-26s %5.1f s",
                        ++count,
                        String.join(" and ", kill.victims()),
                        moment(kill, during),
                        (after.began() + after.duration() - killedAt) / 1e3));
    }

    private String moment(Kill kill, Checkpoint during) throws IOException {
        if (during == null) {
            return "";
        }
        String what = kill.moment() == Moment.SAVEPOINT ? "savepoint" : "checkpoint";
        // A checkpoint that completed in the last moment is what the job is restored from.
        boolean hit = rest.restoredCheckpoint(job) != during.id();
        return "%s %s %d".formatted(hit ? "during" : "just after", what, during.id());
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
        Checkpoint[] begun = new Checkpoint[1];
        site.await(
                "a checkpoint or savepoint is seen to begin",
                job,
                () -> {
                    if (savepoint) {
                        rest.beginSavepoint(job);
                    }
                    begun[0] = seenToBegin(savepoint);
                    return begun[0] != null;
                });
        Thread.sleep((long) (kill.delay() * usual / 4));
        return begun[0];
    }

    /** Looks for a moment; null if none has begun, or has ended before it was seen. */
    private Checkpoint seenToBegin(boolean savepoint) throws IOException {
        long until = System.nanoTime() + LOOK_NANOS;
        while (System.nanoTime() < until) {
            for (Checkpoint checkpoint : rest.checkpoints(job)) {
                if (checkpoint.isInProgress() && checkpoint.isSavepoint() == savepoint) {
                    return checkpoint;
                }
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
