package io.flinkmoe.tools.bench.contenders;

import io.flinkmoe.stream.ScoredToken;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
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

    private static final int MAX_LATENCIES = 1 << 22;

    private static final AtomicLong COUNT = new AtomicLong();
    private static final AtomicLong KEPT = new AtomicLong();
    private static final int[] LATENCIES = new int[MAX_LATENCIES];
    private static volatile boolean keepsLatencies;

    static long count() {
        return COUNT.get();
    }

    /** Forgets all that has been counted. */
    static void reset() {
        COUNT.set(0);
        KEPT.set(0);
        keepsLatencies = false;
    }

    /** Keeps, from now on, how many microseconds after its timestamp each token arrives. */
    public static void keepLatencies() {
        KEPT.set(0);
        keepsLatencies = true;
    }

    /** How many have been kept. */
    public static long kept() {
        return KEPT.get();
    }

    /** The latencies kept, microseconds, ascending. */
    public static int[] latencies() {
        keepsLatencies = false;
        int[] sorted = Arrays.copyOf(LATENCIES, (int) Math.min(KEPT.get(), MAX_LATENCIES));
        Arrays.sort(sorted);
        return sorted;
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
                int index = (int) Math.min(KEPT.getAndIncrement(), MAX_LATENCIES - 1);
                LATENCIES[index] = (int) (System.nanoTime() / 1000 - token.timestamp());
            }
        }

        @Override
        public void flush(boolean endOfInput) {}

        @Override
        public void close() {}
    }
}
