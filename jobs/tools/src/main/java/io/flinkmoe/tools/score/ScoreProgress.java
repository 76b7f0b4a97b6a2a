// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import io.flinkmoe.api.Rejection;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.Windows;
import io.flinkmoe.kafka.source.SourceWatches;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import io.flinkmoe.tools.flink.FlinkRest;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;

/**
 * Prints the progress of an embedded job: one line when the first tokens are scored or the first
 * records are rejected, and then one every ten seconds if there were more of either. Also prints,
 * once a minute at most, why the source waits, and how many tokens wait for the close of their
 * window.
 */
@Internal
final class ScoreProgress extends Thread {

    private static final long POLL_MILLIS = 2_000;
    private static final long LINE_NANOS = 10_000_000_000L;
    private static final long STATUS_NANOS = 60_000_000_000L;

    /** The outcomes that lines show, the worst first. */
    private static final List<Outcome> SHOWN =
            List.of(Outcome.FAILED, Outcome.LATE, Outcome.OVERFLOWED);

    private final EmbeddedFlink flink;
    private final JobID job;
    private final Windows windows;
    private final boolean divertsLate;
    private final PrintWriter out;
    private final Map<String, Long> statusPrintedAt = new HashMap<>();
    private long scoredBefore;
    private long rejectedBefore;
    private Map<Outcome, Long> outcomesBefore = Map.of();
    private long printedAt;
    private long quietSince;
    private long waitingPrintedAt;

    /**
     * @param windows for whose close tokens wait; without an end if they do not wait
     * @param divertsLate whether late tokens are not scored
     */
    ScoreProgress(
            EmbeddedFlink flink, JobID job, Windows windows, boolean divertsLate, PrintWriter out) {
        super("score-progress");
        setDaemon(true);
        this.flink = flink;
        this.job = job;
        this.windows = windows;
        this.divertsLate = divertsLate;
        this.out = out;
    }

    /** Reads the counters of the job until its cluster ends. */
    @Override
    public void run() {
        try {
            FlinkRest rest = new FlinkRest(flink.restAddress());
            while (flink.isRunning()) {
                try {
                    check(rest);
                } catch (IOException e) {
                    // The cluster is busy or ending. The next check shows which.
                }
                Thread.sleep(POLL_MILLIS);
            }
        } catch (ExecutionException
                | InterruptedException
                | TimeoutException
                | IllegalStateException e) {
            // The cluster is ending. The thread that waits for the job reports the result.
        }
    }

    private void check(FlinkRest rest) throws IOException {
        Optional<JobCounts> counts = JobCounts.read(rest, job);
        for (String status : rest.jobManagerMetric(job, SourceWatches.STATUS)) {
            printStatus(status, System.nanoTime());
        }
        if (counts.isPresent()) {
            print(counts.get(), System.nanoTime());
            if (windows.areBounded()) {
                printWaiting(counts.get(), rest.lowestWatermark(job), System.nanoTime());
            }
        }
    }

    /**
     * Prints a line, if one is due.
     *
     * @param now by {@link System#nanoTime()}
     */
    void print(JobCounts counts, long now) {
        long scored = counts.scored();
        long allRejected = counts.allRejected();
        if (scored < scoredBefore || allRejected < rejectedBefore) {
            // The tasks were restarted, and their counters start at 0.
            scoredBefore = 0;
            rejectedBefore = 0;
            outcomesBefore = Map.of();
            printedAt = 0;
        }
        boolean first = printedAt == 0;
        if (scored == scoredBefore && allRejected == rejectedBefore) {
            printedAt = first ? 0 : now; // Idle time does not count for the rate.
            return;
        }
        quietSince = now;
        boolean firstRejected = rejectedBefore == 0 && allRejected > 0;
        if (!first && !firstRejected && now - printedAt < LINE_NANOS) {
            return;
        }
        out.printf("read %,d   scored %,d   rejected %,d", counts.read(), scored, allRejected);
        out.print(mostFrequent(counts.rejected(), allRejected));
        if (!first && scored > scoredBefore) {
            double rate = (scored - scoredBefore) / ((now - printedAt) / 1e9);
            out.printf(rate < 10 ? "   %,.1f tokens/s" : "   %,.0f tokens/s", rate);
        }
        out.println(shares(counts.outcomes()));
        out.flush();
        scoredBefore = scored;
        rejectedBefore = allRejected;
        outcomesBefore = counts.outcomes();
        printedAt = now;
    }

    /**
     * Prints how many tokens wait for the close of their window, if nothing was scored for ten
     * seconds.
     *
     * @param watermark the lowest one of the job
     * @param now by {@link System#nanoTime()}
     */
    void printWaiting(JobCounts counts, long watermark, long now) {
        long done = counts.scored() + counts.allRejected() + (divertsLate ? counts.late() : 0);
        long waiting = counts.read() - done;
        quietSince = quietSince == 0 || waiting <= 0 ? now : quietSince;
        boolean wasPrinted = waitingPrintedAt != 0 && now - waitingPrintedAt < STATUS_NANOS;
        if (now - quietSince < LINE_NANOS || wasPrinted) {
            return;
        }
        waitingPrintedAt = now;
        String when =
                watermark == Long.MIN_VALUE
                        ? "No window closes before every partition has had tokens."
                        : "The earliest open window ends at %s; event time is at %s and advances only with newer tokens in every partition."
                                .formatted(
                                        Instant.ofEpochMilli(
                                                windows.lastOf(windows.startOf(watermark + 1)) + 1),
                                        Instant.ofEpochMilli(watermark));
        out.printf("%,d tokens wait for the close of their window. %s%n", waiting, when);
        out.flush();
    }

    /**
     * Prints the sentences of a status, except those printed within the last minute.
     *
     * @param status one sentence a line
     * @param now by {@link System#nanoTime()}
     */
    void printStatus(String status, long now) {
        for (String sentence : status.lines().toList()) {
            String subject = SourceWatches.subject(sentence);
            Long before = statusPrintedAt.get(subject);
            if (before == null || now - before >= STATUS_NANOS) {
                statusPrintedAt.put(subject, now);
                out.println(sentence);
                out.flush();
            }
        }
    }

    private static String mostFrequent(Map<Rejection.Kind, Long> rejected, long all) {
        if (all == 0) {
            return "";
        }
        Map.Entry<Rejection.Kind, Long> most =
                Collections.max(rejected.entrySet(), Map.Entry.comparingByValue());
        return " (%s: %s)".formatted(most.getValue() == all ? "all" : "most", most.getKey().text());
    }

    /** The choices since the last line that no expert executed, as shares of all choices. */
    private String shares(Map<Outcome, Long> outcomes) {
        double all = 0;
        for (Outcome outcome : outcomes.keySet()) {
            all += since(outcomes, outcome);
        }
        List<String> shares = new ArrayList<>();
        for (Outcome outcome : SHOWN) {
            long count = since(outcomes, outcome);
            if (count > 0) {
                shares.add(percent(count / all) + " " + outcome.name().toLowerCase(Locale.ROOT));
            }
        }
        return shares.isEmpty() ? "" : "   choices: " + String.join(", ", shares);
    }

    private long since(Map<Outcome, Long> outcomes, Outcome outcome) {
        return outcomes.getOrDefault(outcome, 0L) - outcomesBefore.getOrDefault(outcome, 0L);
    }

    /** Never 0 %, and 100 % only if it is all. */
    private static String percent(double share) {
        if (share < 0.001) {
            return "<0.1 %";
        }
        return share == 1 ? "100 %" : "%.1f %%".formatted(Math.min(share * 100, 99.9));
    }
}
