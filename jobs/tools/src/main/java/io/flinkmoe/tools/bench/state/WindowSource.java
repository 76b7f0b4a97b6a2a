// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import io.flinkmoe.api.Token;
import io.flinkmoe.tools.bench.contenders.Pool;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;

/**
 * Sends the tokens of the current {@link WindowLoad} as fast as they are consumed, and then waits
 * until more are allowed. Each subtask has 64 streams with names of 16 bytes.
 */
@Internal
final class WindowSource extends RichFlatMapFunction<Long, Token> {

    private static final long serialVersionUID = 1L;

    private static final int STREAMS = 64;

    /** Short, so that checkpoints are not delayed. */
    private static final int TOKENS_PER_CALL = 16;

    private static final long PAUSE_NANOS = 100_000;

    private final int width;

    private transient WindowLoad load;
    private transient float[][] pool;
    private transient String[] streams;
    private transient int subtask;
    private transient int parallelism;
    private transient long next;

    private WindowSource(int width) {
        this.width = width;
    }

    static DataStream<Token> of(StreamExecutionEnvironment env, int width) {
        return env.fromSequence(0, Long.MAX_VALUE - 1)
                .uid("numbers")
                .flatMap(new WindowSource(width))
                .returns(Token.TYPE)
                .uid("tokens")
                .assignTimestampsAndWatermarks(
                        WatermarkStrategy.forGenerator(context -> new Watermarks())
                                .withTimestampAssigner((token, before) -> token.timestamp()))
                .uid("timestamps");
    }

    @Override
    public void open(OpenContext context) {
        load = WindowLoad.current();
        subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
        parallelism = getRuntimeContext().getTaskInfo().getNumberOfParallelSubtasks();
        pool = Pool.of(width, subtask);
        streams = new String[STREAMS];
        for (int i = 0; i < STREAMS; i++) {
            streams[i] = streamName(subtask, i);
        }
    }

    static String streamName(int subtask, int stream) {
        return "stream-%02d-%06d".formatted(subtask, stream);
    }

    @Override
    public void flatMap(Long ignored, Collector<Token> out) {
        long number = next * parallelism + subtask;
        if (!load.allows(number)) {
            LockSupport.parkNanos(PAUSE_NANOS);
        }
        for (int i = 0; i < TOKENS_PER_CALL && load.allows(number); i++) {
            out.collect(
                    new Token(
                            streams[(int) (next % STREAMS)],
                            next / STREAMS,
                            load.timestampOf(number),
                            pool[(int) (next % pool.length)]));
            load.sent();
            next++;
            number += parallelism;
        }
    }

    /** Closes a window when a token of a later one has passed, or when the load closes it. */
    private static final class Watermarks implements WatermarkGenerator<Token> {

        private final WindowLoad load = WindowLoad.current();
        private long closed = Long.MIN_VALUE;

        @Override
        public void onEvent(Token token, long timestamp, WatermarkOutput output) {
            long before = timestamp / WindowLoad.WINDOW_MILLIS * WindowLoad.WINDOW_MILLIS - 1;
            closed = Math.max(closed, before);
        }

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {
            long watermark = Math.max(closed, load.watermark());
            if (watermark > Long.MIN_VALUE) {
                output.emitWatermark(new Watermark(watermark));
            }
        }
    }
}
