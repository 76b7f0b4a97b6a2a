package io.flinkmoe.tools.score;

import io.flinkmoe.runtime.combine.CombineMetrics;
import io.flinkmoe.runtime.ingest.IngestMetrics;
import io.flinkmoe.runtime.router.RouterMetrics;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import io.flinkmoe.tools.flink.FlinkRest;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;

/**
 * Tells in a line what an embedded job has done: as soon as tokens are scored, and then every ten
 * seconds in which some were.
 */
@Internal
final class ScoreProgress extends Thread {

    private static final long POLL_MILLIS = 2_000;
    private static final long LINE_NANOS = 10_000_000_000L;

    private static final String READ = "moe.ingest." + IngestMetrics.Name.NUM_TOKENS_IN;
    private static final String SCORED = "moe.combine." + CombineMetrics.Name.NUM_TOKENS_OUT;
    private static final String NO_TOKENS =
            "moe.ingest." + IngestMetrics.Name.NUM_TOKENS_DEAD_LETTERED;
    private static final String UNREADABLE =
            "moe.router." + RouterMetrics.Name.NUM_TOKENS_DEAD_LETTERED;
    private static final List<String> COUNTERS = List.of(READ, SCORED, NO_TOKENS, UNREADABLE);

    private final EmbeddedFlink flink;
    private final JobID job;
    private final PrintWriter out;
    private long scoredBefore;
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
        Map<String, List<Long>> counts = rest.counters(job, COUNTERS);
        List<Long> layers = counts.get(SCORED);
        if (!layers.isEmpty()) {
            tell(
                    sum(counts.get(READ)),
                    layers.get(layers.size() - 1),
                    sum(counts.get(NO_TOKENS)) + sum(counts.get(UNREADABLE)),
                    System.nanoTime());
        }
    }

    private static long sum(List<Long> values) {
        return values.stream().mapToLong(Long::longValue).sum();
    }

    /**
     * Tells it, if it is time for a line.
     *
     * @param read tokens read since the tasks were started, as all are
     * @param now by {@link System#nanoTime()}
     */
    void tell(long read, long scored, long rejected, long now) {
        if (scored < scoredBefore) { // The tasks were restarted, and count anew.
            scoredBefore = 0;
            toldAt = 0;
        }
        boolean first = toldAt == 0;
        if (scored == scoredBefore) {
            toldAt = first ? 0 : now; // The rate is that of busy times.
            return;
        }
        if (!first && now - toldAt < LINE_NANOS) {
            return;
        }
        double rate = first ? 0 : (scored - scoredBefore) / ((now - toldAt) / 1e9);
        out.printf("read %,d   scored %,d   rejected %,d", read, scored, rejected);
        out.println(first ? "" : "   %,.0f tokens/s".formatted(rate));
        out.flush();
        scoredBefore = scored;
        toldAt = now;
    }
}
