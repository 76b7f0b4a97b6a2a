// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import io.flinkmoe.api.Rejection;
import io.flinkmoe.kafka.source.SourceWatches;
import io.flinkmoe.runtime.head.HeadMetrics;
import io.flinkmoe.runtime.ingest.IngestMetrics;
import io.flinkmoe.runtime.layer.CombineMetrics;
import io.flinkmoe.runtime.layer.RouterMetrics;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import io.flinkmoe.tools.flink.FlinkRest;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;

/**
 * Prints the progress of an embedded job: one line when the first tokens are scored or the first
 * records are rejected, and then one every ten seconds if there were more of either. Also prints
 * why the source waits, once a minute at most for the same reason.
 */
@Internal
final class ScoreProgress extends Thread {

    private static final long POLL_MILLIS = 2_000;
    private static final long LINE_NANOS = 10_000_000_000L;
    private static final long STATUS_NANOS = 60_000_000_000L;

    private static final String READ = "moe.ingest." + IngestMetrics.Name.NUM_TOKENS_IN;
    private static final String SCORED = "moe.combine." + CombineMetrics.Name.NUM_TOKENS_OUT;
    private static final String REJECTED_BY_ROUTER =
            "moe.router." + RouterMetrics.Name.NUM_TOKENS_DEAD_LETTERED;
    private static final String NOT_ENCODED =
            "moe.router." + RouterMetrics.Name.NUM_NON_FINITE_ENCODINGS;
    private static final String REJECTED_BY_HEAD =
            "moe.head." + HeadMetrics.Name.NUM_TOKENS_DEAD_LETTERED;

    private final EmbeddedFlink flink;
    private final JobID job;
    private final PrintWriter out;
    private long scoredBefore;
    private long rejectedBefore;
    private long printedAt;
    private final Map<String, Long> statusPrintedAt = new HashMap<>();

    ScoreProgress(EmbeddedFlink flink, JobID job, PrintWriter out) {
        super("score-progress");
        setDaemon(true);
        this.flink = flink;
        this.job = job;
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
        List<String> counters =
                new ArrayList<>(
                        List.of(READ, SCORED, REJECTED_BY_ROUTER, NOT_ENCODED, REJECTED_BY_HEAD));
        for (Rejection.Kind kind : Rejection.Kind.values()) {
            counters.add(rejectedByIngest(kind));
        }
        Map<String, List<Long>> counts = rest.counters(job, counters);
        for (String status : rest.jobManagerMetric(job, SourceWatches.STATUS)) {
            printStatus(status, System.nanoTime());
        }
        Map<Rejection.Kind, Long> rejected = new EnumMap<>(Rejection.Kind.class);
        for (Rejection.Kind kind : Rejection.Kind.values()) {
            rejected.put(kind, sum(counts.get(rejectedByIngest(kind))));
        }
        long read = sum(counts.get(READ)) + sum(rejected.values());
        long notEncoded = sum(counts.get(NOT_ENCODED));
        long byHead = sum(counts.get(REJECTED_BY_HEAD));
        rejected.merge(
                Rejection.Kind.MODEL, sum(counts.get(REJECTED_BY_ROUTER)) - notEncoded, Long::sum);
        rejected.merge(Rejection.Kind.OUTPUT_NOT_FINITE, notEncoded + byHead, Long::sum);
        List<Long> layers = counts.get(SCORED);
        if (!layers.isEmpty()) {
            print(read, layers.get(layers.size() - 1) - byHead, rejected, System.nanoTime());
        }
    }

    /** The counter of the records that are rejected for one kind of reason. */
    private static String rejectedByIngest(Rejection.Kind kind) {
        return "moe.ingest.%s.%s.%s"
                .formatted(IngestMetrics.KIND, kind, IngestMetrics.Name.NUM_TOKENS_DEAD_LETTERED);
    }

    private static long sum(Collection<Long> values) {
        return values.stream().mapToLong(Long::longValue).sum();
    }

    /**
     * Prints a line, if one is due.
     *
     * @param read the records read since the tasks were started; the other counts start then, too
     * @param rejected the rejected ones by the kind of the reason
     * @param now by {@link System#nanoTime()}
     */
    void print(long read, long scored, Map<Rejection.Kind, Long> rejected, long now) {
        long allRejected = sum(rejected.values());
        if (scored < scoredBefore || allRejected < rejectedBefore) {
            // The tasks were restarted, and their counters start at 0.
            scoredBefore = 0;
            rejectedBefore = 0;
            printedAt = 0;
        }
        boolean first = printedAt == 0;
        if (scored == scoredBefore && allRejected == rejectedBefore) {
            printedAt = first ? 0 : now; // Idle time does not count for the rate.
            return;
        }
        boolean firstRejected = rejectedBefore == 0 && allRejected > 0;
        if (!first && !firstRejected && now - printedAt < LINE_NANOS) {
            return;
        }
        double rate = first ? 0 : (scored - scoredBefore) / ((now - printedAt) / 1e9);
        out.printf("read %,d   scored %,d   rejected %,d", read, scored, allRejected);
        out.print(mostFrequent(rejected, allRejected));
        out.println(first ? "" : "   %,.0f tokens/s".formatted(rate));
        out.flush();
        scoredBefore = scored;
        rejectedBefore = allRejected;
        printedAt = now;
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
}
