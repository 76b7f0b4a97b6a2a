// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.ingest;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.config.IngestSettings;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.shared.Lanes;
import io.flinkmoe.runtime.shared.Linger;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * Collects the tokens of each lane into blocks. Chained to the source.
 *
 * <p>The block of a lane is emitted when it is full. The blocks of all lanes are emitted when the
 * oldest token has waited for the linger, before a checkpoint barrier, before a watermark that ends
 * a window, and at the end of the input. A watermark that ends no window is held back until the
 * tokens before it are emitted, so frequent watermarks do not make blocks small. If a token names
 * its partition, {@link PartitionClocks} decide whether it is late; they are the only state.
 */
@Internal
public final class Ingest extends AbstractStreamOperator<TokenBlock>
        implements OneInputStreamOperator<Arrival, TokenBlock> {

    private static final long serialVersionUID = 1L;

    private final InputLayout inputs;
    private final IngestSettings settings;

    private transient PartitionLateness lateness;
    private transient TokenBlockBuilder[] pending;
    private transient int pendingTokens;
    private transient Watermark heldWatermark;
    private transient long lastWatermark;
    private transient Linger linger;
    private transient IngestMetrics metrics;

    /**
     * @param inputs the model's inputs
     */
    public Ingest(InputLayout inputs, IngestSettings settings) {
        this.inputs = inputs;
        this.settings = settings;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        lateness =
                settings.windows().areBounded()
                        ? new PartitionClocks(
                                context,
                                settings.windows(),
                                settings.maxOutOfOrderness().toMillis())
                        : PartitionLateness.NEVER;
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        lateness.snapshot();
        super.snapshotState(context);
    }

    @Override
    public void open() throws Exception {
        super.open();
        linger =
                new Linger(
                        getProcessingTimeService(), settings.linger().toMillis(), time -> flush());
        metrics = new IngestMetrics(getMetricGroup());
        pending = new TokenBlockBuilder[settings.lanes()];
        lastWatermark = Long.MIN_VALUE;
    }

    @Override
    public void processElement(StreamRecord<Arrival> element) {
        Arrival arrival = element.getValue();
        if (arrival.token() == null) {
            metrics.countDeadLetter(arrival.deadLetter());
            output.collect(DeadLetter.OUTPUT, new StreamRecord<>(arrival.deadLetter()));
            return;
        }
        int lane = Lanes.of(arrival.token().stream(), settings.lanes());
        if (pending[lane] == null) {
            pending[lane] = new TokenBlockBuilder(lane, settings.blockRows(), inputs);
        }
        pending[lane].add(arrival.token(), arrival.origin(), lateness.isLate(arrival));
        pendingTokens++;
        if (pending[lane].isFull()) {
            flush(lane);
            forwardWatermark();
        } else if (pendingTokens >= settings.pendingRows()) {
            flush(fullest());
            forwardWatermark();
        } else {
            linger.start();
        }
    }

    /** The lane with the most tokens. */
    private int fullest() {
        int fullest = -1;
        for (int lane = 0; lane < pending.length; lane++) {
            if (pending[lane] != null
                    && (fullest < 0 || pending[lane].rows() > pending[fullest].rows())) {
                fullest = lane;
            }
        }
        return fullest;
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        boolean endsWindow = settings.windows().endsBetween(lastWatermark, mark.getTimestamp());
        if (endsWindow || mark.getTimestamp() == Watermark.MAX_WATERMARK.getTimestamp()) {
            flush();
        }
        heldWatermark = mark;
        forwardWatermark();
    }

    @Override
    public void processWatermarkStatus(WatermarkStatus status) throws Exception {
        flush();
        super.processWatermarkStatus(status);
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) {
        flush();
    }

    @Override
    public void finish() throws Exception {
        flush();
        if (lastWatermark < Watermark.MAX_WATERMARK.getTimestamp()) {
            // The source was idle, so Flink has dropped its last watermark (FLINK-40499). Rows that
            // wait for the close of their window need it.
            output.emitWatermarkStatus(WatermarkStatus.ACTIVE);
            processWatermark(Watermark.MAX_WATERMARK);
        }
        super.finish();
    }

    private void flush() {
        for (int lane = 0; pendingTokens > 0; lane++) {
            if (pending[lane] != null && !pending[lane].isEmpty()) {
                flush(lane);
            }
        }
        forwardWatermark();
    }

    private void flush(int lane) {
        TokenBlock block = pending[lane].build();
        pendingTokens -= block.rows();
        metrics.tokensIn.inc(block.rows());
        metrics.batchSize.update(block.rows());
        output.collect(new StreamRecord<>(block));
    }

    private void forwardWatermark() {
        if (heldWatermark != null && pendingTokens == 0) {
            lastWatermark = heldWatermark.getTimestamp();
            output.emitWatermark(heldWatermark);
            heldWatermark = null;
        }
    }
}
