// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import ai.onnxruntime.OrtException;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.onnx.SessionCache;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * One operator that collects tokens and runs the whole layer on them as one model. Nothing is
 * shuffled, and every subtask has all experts. A batch runs when it is full, or after 5 ms.
 */
@Internal
final class FusedOperator extends AbstractStreamOperator<ScoredToken>
        implements OneInputStreamOperator<Token, ScoredToken> {

    private static final long serialVersionUID = 1L;

    private static final String VERSION = "fused";
    private static final Decision[] UNKNOWN = {};
    private static final long LINGER_MILLIS = 5;

    private final String file;
    private final int d;
    private final int batchSize;

    private transient SessionCache.Lease<OnnxModel> model;
    private transient DirectRows input;
    private transient DirectRows results;
    private transient Token[] waiting;
    private transient int count;
    private transient boolean timerSet;

    FusedOperator(Path file, int d, int batchSize) {
        this.file = file.toString();
        this.d = d;
        this.batchSize = batchSize;
    }

    @Override
    public void open() throws Exception {
        super.open();
        model = SessionCache.shared().acquire(Path.of(file), VERSION, d, d);
        input = new DirectRows(batchSize, d);
        results = new DirectRows(batchSize, d);
        waiting = new Token[batchSize];
    }

    @Override
    public void processElement(StreamRecord<Token> element) throws OrtException {
        waiting[count++] = element.getValue();
        if (count == batchSize) {
            run();
        } else if (!timerSet) {
            timerSet = true;
            long now = getProcessingTimeService().getCurrentProcessingTime();
            getProcessingTimeService().registerTimer(now + LINGER_MILLIS, this::endLinger);
        }
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) throws OrtException {
        run();
    }

    @Override
    public void finish() throws Exception {
        run();
        super.finish();
    }

    private void endLinger(long time) throws OrtException {
        timerSet = false;
        run();
    }

    private void run() throws OrtException {
        for (int row = 0; row < count; row++) {
            input.put(waiting[row].values(), 0, row, 1);
        }
        if (count > 0) {
            model.model().run(input, results, count);
        }
        for (int row = 0; row < count; row++) {
            Token token = waiting[row];
            float[] values = new float[d];
            results.get(row, values, 0, 1);
            emit(token, values);
        }
        count = 0;
    }

    private void emit(Token token, float[] values) {
        output.collect(
                new StreamRecord<>(
                        new ScoredToken(
                                token.stream(),
                                token.position(),
                                token.timestamp(),
                                values,
                                VERSION,
                                UNKNOWN),
                        token.timestamp()));
    }

    @Override
    public void close() throws Exception {
        if (model != null) {
            model.close();
        }
        super.close();
    }
}
