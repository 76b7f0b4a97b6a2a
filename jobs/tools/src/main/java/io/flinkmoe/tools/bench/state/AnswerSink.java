// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import io.flinkmoe.api.ScoredToken;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;

/** A sink that counts the answers in the current {@link WindowLoad}. */
@Internal
final class AnswerSink implements Sink<ScoredToken> {

    private static final long serialVersionUID = 1L;

    @Override
    public SinkWriter<ScoredToken> createWriter(WriterInitContext context) {
        WindowLoad load = WindowLoad.current();
        return new SinkWriter<>() {
            @Override
            public void write(ScoredToken token, Context sinkContext) {
                load.answered(token.layers());
            }

            @Override
            public void flush(boolean endOfInput) {}

            @Override
            public void close() {}
        };
    }
}
