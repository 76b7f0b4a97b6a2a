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
 * A sink that counts what arrives in this process, and keeps how long it took. One job at a time
 * may write to it.
 */
@Internal
public final class Arrivals implements Sink<ScoredToken> {

    private static final long serialVersionUID = 1L;

    private static final AtomicLong COUNT = new AtomicLong();
    private static final Histogram LATENCIES = new ConcurrentHistogram(3);
    private static volatile boolean keepsLatencies;

    static long count() {
        return COUNT.get();
    }

    /** Forgets all that has been counted. */
    static void reset() {
        COUNT.set(0);
        keepsLatencies = false;
        LATENCIES.reset();
    }

    /** Keeps, from now on, how many microseconds after its timestamp each token arrives. */
    public static void keepLatencies() {
        LATENCIES.reset();
        keepsLatencies = true;
    }

    /** How many have been kept. */
    public static long kept() {
        return LATENCIES.getTotalCount();
    }

    /** The latencies kept, in microseconds to three digits. */
    public static Histogram latencies() {
        keepsLatencies = false;
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
            if (keepsLatencies) {
                LATENCIES.recordValue(Math.max(0, System.nanoTime() / 1000 - token.timestamp()));
            }
        }

        @Override
        public void flush(boolean endOfInput) {}

        @Override
        public void close() {}
    }
}
