// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.api.Token;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiter;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * A source that stops after the first part of its tokens until its gate is opened, and goes on from
 * a checkpoint where that was taken. A watermark follows every token, so that the state of a job
 * behind a closed gate is always the same. One job at a time: the mini cluster is in this process.
 */
public final class GatedTokens {

    private static final AtomicInteger EMITTED = new AtomicInteger();

    private static volatile List<Token> tokens;
    private static volatile int firstPart;
    private static volatile CompletableFuture<Void> firstPartIsOut;
    private static volatile CompletableFuture<Void> gate;

    private GatedTokens() {}

    /** Closes the gate behind the first tokens, for the next job. */
    public static void use(List<Token> all, int first) {
        tokens = all;
        firstPart = first;
        firstPartIsOut = new CompletableFuture<>();
        gate = new CompletableFuture<>();
        EMITTED.set(0);
    }

    /** Lets the rest of the tokens go. */
    public static void open() {
        gate.complete(null);
    }

    /** Waits until the source has emitted the first part. */
    public static void awaitFirstPart() throws Exception {
        firstPartIsOut.get(1, TimeUnit.MINUTES);
    }

    /** The tokens, with watermarks for such a disorder. */
    public static DataStream<Token> of(StreamExecutionEnvironment env, Duration outOfOrderness) {
        long allowed = outOfOrderness.toMillis();
        return env.fromSource(
                        new DataGeneratorSource<>(
                                GatedTokens::next,
                                tokens.size(),
                                parallelism -> new Gate(),
                                Token.TYPE),
                        WatermarkStrategy.<Token>forGenerator(at -> new EveryToken(allowed))
                                .withTimestampAssigner((token, at) -> token.timestamp()),
                        "tokens")
                .uid("tokens")
                .setParallelism(1);
    }

    private static Token next(long index) {
        if (EMITTED.incrementAndGet() == firstPart) {
            firstPartIsOut.complete(null);
        }
        return tokens.get((int) index);
    }

    private static final class Gate implements RateLimiter<SourceSplit> {
        @Override
        public CompletionStage<Void> acquire(int requests) {
            return EMITTED.get() < firstPart ? CompletableFuture.completedFuture(null) : gate;
        }
    }

    private static final class EveryToken implements WatermarkGenerator<Token> {
        private final long allowed;
        private long latest = Long.MIN_VALUE;

        EveryToken(long allowed) {
            this.allowed = allowed;
        }

        @Override
        public void onEvent(Token token, long timestamp, WatermarkOutput output) {
            if (timestamp > latest) {
                latest = timestamp;
                output.emitWatermark(new Watermark(latest - allowed - 1));
            }
        }

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {}
    }
}
