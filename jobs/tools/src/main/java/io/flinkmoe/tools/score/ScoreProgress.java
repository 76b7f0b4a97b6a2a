package io.flinkmoe.tools.score;

import io.flinkmoe.api.Rejection;
import io.flinkmoe.runtime.combine.CombineMetrics;
import io.flinkmoe.runtime.ingest.IngestMetrics;
import io.flinkmoe.runtime.router.RouterMetrics;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import io.flinkmoe.tools.flink.FlinkRest;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;

/**
 * Tells in a line what an embedded job has done: as soon as tokens are scored or the first records
 * are rejected, and then every ten seconds in which some were.
 */
@Internal
final class ScoreProgress extends Thread {

    private static final long POLL_MILLIS = 2_000;
    private static final long LINE_NANOS = 10_000_000_000L;

    private static final String READ = "moe.ingest." + IngestMetrics.Name.NUM_TOKENS_IN;
    private static final String SCORED = "moe.combine." + CombineMetrics.Name.NUM_TOKENS_OUT;
    private static final String UNREADABLE =
            "moe.router." + RouterMetrics.Name.NUM_TOKENS_DEAD_LETTERED;

    private final EmbeddedFlink flink;
    private final JobID job;
    private final PrintWriter out;
    private long scoredBefore;
    private long rejectedBefore;
    private long toldAt;

    ScoreProgress(EmbeddedFlink flink, JobID job, PrintWriter out) {
        super("score-progress");
        setDaemon(true);
        this.flink = flink;
        this.job = job;
        this.out = out;
    }

    /** Looks at the job until its cluster ends. */
    @Override
    public void run() {
        try {
            FlinkRest rest = new FlinkRest(flink.restAddress());
            while (flink.isRunning()) {
                try {
                    look(rest);
                } catch (IOException e) {
                    // It is busy, or is ending: the next look tells.
                }
                Thread.sleep(POLL_MILLIS);
            }
        } catch (ExecutionException
                | InterruptedException
                | TimeoutException
                | IllegalStateException e) {
            // The cluster is ending: whoever waits for the job learns how.
        }
    }

    private void look(FlinkRest rest) throws IOException {
        List<String> counters = new ArrayList<>(List.of(READ, SCORED, UNREADABLE));
        for (Rejection.Kind kind : Rejection.Kind.values()) {
            counters.add(rejected(kind));
        }
        Map<String, List<Long>> counts = rest.counters(job, counters);
        Map<Rejection.Kind, Long> rejected = new EnumMap<>(Rejection.Kind.class);
        long rejectedByIngest = 0;
        for (Rejection.Kind kind : Rejection.Kind.values()) {
            long count = sum(counts.get(rejected(kind)));
            rejectedByIngest += count;
            rejected.put(kind, count);
        }
        rejected.merge(Rejection.Kind.MODEL, sum(counts.get(UNREADABLE)), Long::sum);
        List<Long> layers = counts.get(SCORED);
        if (!layers.isEmpty()) {
            tell(
                    sum(counts.get(READ)) + rejectedByIngest,
                    layers.get(layers.size() - 1),
                    rejected,
                    System.nanoTime());
        }
    }

    /** The counter of the records that are rejected for one kind of reason. */
    private static String rejected(Rejection.Kind kind) {
        return "moe.ingest.%s.%s.%s"
                .formatted(IngestMetrics.KIND, kind, IngestMetrics.Name.NUM_TOKENS_DEAD_LETTERED);
    }

    private static long sum(Collection<Long> values) {
        return values.stream().mapToLong(Long::longValue).sum();
    }

    /**
     * Tells it, if it is time for a line.
     *
     * @param read records read since the tasks were started, as all are
     * @param rejected the rejected ones, by the kind of their reason
     * @param now by {@link System#nanoTime()}
     */
    void tell(long read, long scored, Map<Rejection.Kind, Long> rejected, long now) {
        long allRejected = sum(rejected.values());
        if (scored < scoredBefore || allRejected < rejectedBefore) {
            // The tasks were restarted, and count anew.
            scoredBefore = 0;
            rejectedBefore = 0;
            toldAt = 0;
        }
        boolean first = toldAt == 0;
        if (scored == scoredBefore && allRejected == rejectedBefore) {
            toldAt = first ? 0 : now; // The rate is that of busy times.
            return;
        }
        boolean firstRejected = rejectedBefore == 0 && allRejected > 0;
        if (!first && !firstRejected && now - toldAt < LINE_NANOS) {
            return;
        }
        double rate = first ? 0 : (scored - scoredBefore) / ((now - toldAt) / 1e9);
        out.printf("read %,d   scored %,d   rejected %,d", read, scored, allRejected);
        out.print(mostFrequent(rejected, allRejected));
        out.println(first ? "" : "   %,.0f tokens/s".formatted(rate));
        out.flush();
        scoredBefore = scored;
        rejectedBefore = allRejected;
        toldAt = now;
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
