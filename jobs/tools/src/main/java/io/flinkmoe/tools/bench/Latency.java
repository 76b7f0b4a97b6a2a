package io.flinkmoe.tools.bench;

import io.flinkmoe.tools.bench.contenders.Arrivals;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.FlinkContender;
import io.flinkmoe.tools.bench.contenders.FlinkRun;
import io.flinkmoe.tools.bench.contenders.Shape;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;
import org.apache.flink.annotation.Internal;

/**
 * How long tokens are under way from the moment that they are due, from memory to memory.
 *
 * @param load the share of the highest rate
 * @param rate tokens per second that come
 * @param p50 milliseconds that half of the tokens take at most; p99 and p999 likewise
 */
@Internal
public record Latency(double load, double rate, double p50, double p99, double p999) {

    private static final double[] LOADS = {0.5, 0.8};
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    static List<Latency> measure(Stage stage, Shape shape) throws Exception {
        FlinkContender flinkMoe = (FlinkContender) stage.contenders(shape).of(Contenders.FLINK_MOE);
        double highest = flinkMoe.rate(stage.time());
        List<Latency> all = new ArrayList<>();
        for (double load : LOADS) {
            stage.say("%s: latency at %.0f %% of %,.0f", shape.name(), 100 * load, highest);
            try (FlinkRun run = flinkMoe.start(load * highest, Duration.ZERO)) {
                Thread.sleep(stage.time().toMillis());
                Arrivals.keepLatencies();
                awaitFirst();
                Thread.sleep(2 * stage.time().toMillis());
                Histogram micros = Arrivals.latencies();
                all.add(
                        new Latency(
                                load,
                                load * highest,
                                millis(micros, 50),
                                millis(micros, 99),
                                millis(micros, 99.9)));
                run.requireAlive();
            }
        }
        return all;
    }

    /** Even a job that stalls is measured. */
    private static void awaitFirst() throws InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (Arrivals.kept() == 0 && System.nanoTime() < deadline) {
            Thread.sleep(1);
        }
    }

    private static double millis(Histogram micros, double percentile) {
        if (micros.getTotalCount() == 0) {
            throw new IllegalStateException("no result arrived while latencies were measured");
        }
        return micros.getValueAtPercentile(percentile) / 1000.0;
    }
}
