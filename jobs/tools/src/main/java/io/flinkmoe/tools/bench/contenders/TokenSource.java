// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import io.flinkmoe.api.Token;
import io.flinkmoe.column.InputLayout;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;

/**
 * An endless source of tokens from memory, with 64 streams per subtask. Without a rate, it emits
 * tokens as fast as they are consumed, and {@link #TOKENS_PER_MILLI} tokens have the same
 * millisecond as timestamp. With a rate, the timestamp of a token is the microsecond at which it
 * was due, by {@link System#nanoTime}.
 */
@Internal
final class TokenSource extends RichFlatMapFunction<Long, Token> {

    private static final long serialVersionUID = 1L;

    static final int TOKENS_PER_MILLI = 10;

    private static final int STREAMS = 64;
    private static final long PAUSE_NANOS = 100_000;

    private final InputLayout inputs;
    private final double rate;

    private transient Token[] pool;
    private transient String[] streams;
    private transient int parallelism;
    private transient long next;
    private transient long start;

    private TokenSource(InputLayout inputs, double rate) {
        this.inputs = inputs;
        this.rate = rate;
    }

    /**
     * @param inputs the inputs of the tokens
     * @param rate tokens per second of all subtasks together; 0 for no rate
     */
    static DataStream<Token> of(StreamExecutionEnvironment env, InputLayout inputs, double rate) {
        return env.fromSequence(0, Long.MAX_VALUE - 1)
                .uid("numbers")
                .flatMap(new TokenSource(inputs, rate))
                .returns(Token.TYPE)
                .uid("tokens")
                .assignTimestampsAndWatermarks(
                        WatermarkStrategy.<Token>forMonotonousTimestamps()
                                .withTimestampAssigner((token, before) -> token.timestamp()))
                .uid("timestamps");
    }

    @Override
    public void open(OpenContext context) {
        int subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
        parallelism = getRuntimeContext().getTaskInfo().getNumberOfParallelSubtasks();
        pool = Pool.tokens(inputs, subtask);
        streams = new String[STREAMS];
        for (int i = 0; i < STREAMS; i++) {
            streams[i] = "stream-" + subtask + "-" + i;
        }
        start = System.nanoTime();
    }

    @Override
    public void flatMap(Long number, Collector<Token> out) {
        if (rate == 0) {
            emit(next * parallelism / TOKENS_PER_MILLI, out);
            return;
        }
        double nanosPerToken = parallelism * 1e9 / rate;
        long due = start + (long) (next * nanosPerToken);
        if (due > System.nanoTime()) {
            // The pauses are short, so that they do not delay the task's timers.
            LockSupport.parkNanos(Math.min(PAUSE_NANOS, due - System.nanoTime()));
        }
        for (; due <= System.nanoTime(); due = start + (long) (next * nanosPerToken)) {
            emit(due / 1000, out);
        }
    }

    private void emit(long timestamp, Collector<Token> out) {
        Token like = pool[(int) (next % pool.length)];
        out.collect(
                new Token(
                        streams[(int) (next % STREAMS)],
                        next / STREAMS,
                        timestamp,
                        like.values(),
                        like.inputs(),
                        null));
        next++;
    }
}
