package io.flinkmoe.runtime.ingest;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
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
 * Gathers tokens into blocks, lane by lane. Chained to the source.
 *
 * <p>A lane's block leaves when it is full; all leave when the oldest token has waited for the
 * linger, before a checkpoint's barrier, before a watermark that ends a window, and at the end. A
 * watermark that ends no window waits behind the tokens, so that frequent watermarks do not undo
 * the batching. Tokens of a source with partitions are judged here whether they are late: by {@link
 * PartitionClocks}, the only state.
 */
@Internal
public final class Ingest extends AbstractStreamOperator<TokenBlock>
        implements OneInputStreamOperator<Arrival, TokenBlock> {

    private static final long serialVersionUID = 1L;

    private final int width;
    private final IngestSettings settings;

    private transient PartitionLateness lateness;
    private transient TokenBlockBuilder[] pending;
    private transient int pendingTokens;
    private transient Watermark waiting;
    private transient long lastWatermark;
    private transient Linger linger;
    private transient IngestMetrics metrics;

    /**
     * @param width the width of a token's values
     */
    public Ingest(int width, IngestSettings settings) {
        this.width = width;
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
            pending[lane] = new TokenBlockBuilder(lane, settings.blockRows(), width);
        }
        pending[lane].add(arrival.token(), arrival.origin(), isLate(arrival));
        pendingTokens++;
        if (pending[lane].isFull()) {
            flush(lane);
            forwardWaiting();
        } else {
            linger.start();
        }
    }

    private boolean isLate(Arrival arrival) {
        return arrival.partition() != Arrival.NO_PARTITION
                && lateness.isLate(arrival.partition(), arrival.token().timestamp());
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        boolean endsWindow = settings.windows().endsBetween(lastWatermark, mark.getTimestamp());
        if (endsWindow || mark.getTimestamp() == Watermark.MAX_WATERMARK.getTimestamp()) {
            flush();
        }
        waiting = mark;
        forwardWaiting();
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
            // The source was idle, and Flink drops its last watermark then (FLINK-40499); but what
            // waits for the close of a window must be answered.
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
        forwardWaiting();
    }

    private void flush(int lane) {
        TokenBlock block = pending[lane].build();
        pendingTokens -= block.rows();
        metrics.tokensIn.inc(block.rows());
        metrics.batchSize.update(block.rows());
        output.collect(new StreamRecord<>(block));
    }

    private void forwardWaiting() {
        if (waiting != null && pendingTokens == 0) {
            lastWatermark = waiting.getTimestamp();
            output.emitWatermark(waiting);
            waiting = null;
        }
    }
}
