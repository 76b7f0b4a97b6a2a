// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import io.flinkmoe.api.ScoredToken;
import java.util.concurrent.atomic.AtomicLong;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;

/**
 * A sink that counts results in this process and can record their latencies. Only one job can write
 * to it at a time.
 */
@Internal
public final class CountingSink implements Sink<ScoredToken> {

    private static final long serialVersionUID = 1L;

    private static final AtomicLong COUNT = new AtomicLong();
    private static final Histogram LATENCIES = new ConcurrentHistogram(3);
    private static volatile boolean recordsLatencies;

    static long count() {
        return COUNT.get();
    }

    /** Resets the count and the latencies. */
    static void reset() {
        COUNT.set(0);
        recordsLatencies = false;
        LATENCIES.reset();
    }

    /** Starts to record how many microseconds after its timestamp each token arrives. */
    public static void recordLatencies() {
        LATENCIES.reset();
        recordsLatencies = true;
    }

    /** The number of recorded latencies. */
    public static long recorded() {
        return LATENCIES.getTotalCount();
    }

    /** Stops recording, and returns the latencies in microseconds with three significant digits. */
    public static Histogram latencies() {
        recordsLatencies = false;
        return LATENCIES.copy();
    }

    @Override
    public SinkWriter<ScoredToken> createWriter(WriterInitContext context) {
        return new Writer();
    }

    private static final class Writer implements SinkWriter<ScoredToken> {

        @Override
        public void write(ScoredToken token, Context context) {
            COUNT.incrementAndGet();
            if (recordsLatencies) {
                LATENCIES.recordValue(Math.max(0, System.nanoTime() / 1000 - token.timestamp()));
            }
        }

        @Override
        public void flush(boolean endOfInput) {}

        @Override
        public void close() {}
    }
}
