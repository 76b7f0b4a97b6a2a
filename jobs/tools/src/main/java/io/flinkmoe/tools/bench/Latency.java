// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.CountingSink;
import io.flinkmoe.tools.bench.contenders.FlinkContender;
import io.flinkmoe.tools.bench.contenders.FlinkRun;
import io.flinkmoe.tools.bench.contenders.Shape;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;
import org.apache.flink.annotation.Internal;

/**
 * The latency of tokens from the moment that they are due.
 *
 * @param load the rate as a share of the highest rate
 * @param rate the input rate in tokens per second
 * @param p50 the latency in milliseconds that half of the tokens do not exceed; p99 and p999
 *     likewise
 */
@Internal
public record Latency(double load, double rate, double p50, double p99, double p999) {

    /** The shares of the highest rate at which latencies are measured. */
    static final double[] LOADS = {0.5, 0.8};

    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    static Latency of(double load, double rate, Histogram micros) {
        return new Latency(
                load, rate, millis(micros, 50), millis(micros, 99), millis(micros, 99.9));
    }

    /** From memory to memory. */
    static List<Latency> measure(BenchContext context, Shape shape) throws Exception {
        FlinkContender flinkMoe =
                (FlinkContender) context.contenders(shape).of(Contenders.FLINK_MOE);
        double highest = flinkMoe.rate(context.time());
        List<Latency> all = new ArrayList<>();
        for (double load : LOADS) {
            context.report("%s: latency at %.0f %% of %,.0f", shape.name(), 100 * load, highest);
            try (FlinkRun run = flinkMoe.start(load * highest, Duration.ZERO)) {
                Thread.sleep(context.time().toMillis());
                CountingSink.recordLatencies();
                awaitFirst();
                Thread.sleep(2 * context.time().toMillis());
                Histogram micros = CountingSink.latencies();
                all.add(of(load, load * highest, micros));
                run.requireAlive();
            }
        }
        return all;
    }

    /** Waits for the first result, but not forever: a job that stalls is measured, too. */
    private static void awaitFirst() throws InterruptedException {
        long deadline = System.nanoTime() + TIMEOUT.toNanos();
        while (CountingSink.recorded() == 0 && System.nanoTime() < deadline) {
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
