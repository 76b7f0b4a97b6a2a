// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.forward;

import io.flinkmoe.api.Token;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputRows;
import io.flinkmoe.column.TypedValues;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Emits the tokens of a file, which are part of the job. Row i has position and timestamp i. */
@Internal
final class ForwardTokens implements MapFunction<Long, Token> {

    private static final long serialVersionUID = 1L;
    private static final int STREAMS = 16;

    private final InputRows x;
    private final InputLayout inputs;

    /**
     * @param x the inputs of T tokens
     */
    ForwardTokens(InputRows x, InputLayout inputs) {
        this.x = x;
        this.inputs = inputs;
    }

    /** The stream of a row. */
    static String stream(long row) {
        return "row-" + row % STREAMS;
    }

    /** The tokens, in order, from one subtask. */
    DataStream<Token> of(StreamExecutionEnvironment env, int tokens) {
        return env.fromSequence(0, tokens - 1)
                .uid("row-numbers")
                .setParallelism(1)
                .map(this)
                .uid("rows")
                .setParallelism(1)
                .assignTimestampsAndWatermarks(
                        WatermarkStrategy.<Token>forMonotonousTimestamps()
                                .withTimestampAssigner((token, before) -> token.timestamp()))
                .uid("timestamps")
                .setParallelism(1);
    }

    @Override
    public Token map(Long row) {
        TypedValues values = inputs.row(x.numbers(), x.strings(), Math.toIntExact(row));
        return Token.of(stream(row), row, row, values);
    }
}
