// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.capacity;

import io.flinkmoe.api.Token;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Emits the tokens of the current {@link Replay} in order, from one subtask. */
@Internal
final class ReplaySource extends RichMapFunction<Long, Token> {

    private static final long serialVersionUID = 1L;

    private static final Duration OUT_OF_ORDERNESS = Duration.ofMinutes(1);

    private transient Replay replay;
    private transient long start;

    static DataStream<Token> of(StreamExecutionEnvironment env) {
        return env.fromSequence(0, Replay.current().count() - 1)
                .uid("numbers")
                .setParallelism(1)
                .map(new ReplaySource())
                .returns(Token.TYPE)
                .uid("tokens")
                .setParallelism(1)
                .assignTimestampsAndWatermarks(
                        WatermarkStrategy.<Token>forBoundedOutOfOrderness(OUT_OF_ORDERNESS)
                                .withTimestampAssigner((token, before) -> token.timestamp()))
                .uid("timestamps")
                .setParallelism(1);
    }

    @Override
    public void open(OpenContext context) {
        replay = Replay.current();
        start = System.nanoTime();
    }

    @Override
    public Token map(Long number) {
        int position = number.intValue();
        long due = System.nanoTime();
        if (replay.steadyRate() > 0) {
            due = start + (long) (position * 1e9 / replay.steadyRate());
            for (long left; (left = due - System.nanoTime()) > 0; ) {
                LockSupport.parkNanos(left);
            }
        }
        replay.due(position, due);
        return replay.token(position);
    }
}
