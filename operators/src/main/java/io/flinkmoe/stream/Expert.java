package io.flinkmoe.stream;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import java.time.Duration;
import java.util.Arrays;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.FlinkException;

/**
 * Runs the experts of a layer whose key groups the subtask owns. Keyed by expert.
 *
 * <p>Rows are judged when they come: late (their window is closed), turned away (the window's
 * capacity is used up), or admitted; the first two are answered at once. Admitted rows of several
 * blocks are joined until they fill a call, the oldest has waited for the linger, a barrier or the
 * close of a window comes, or the input ends. Where admission is prioritized, rows that are not
 * late wait in a {@link WindowQueue} for the close of their window. State per expert: the accounts
 * of its open windows, which hold the capacity used, what waits for their close, and the watermark.
 */
public final class Expert extends AbstractStreamOperator<ContributionBlock>
        implements OneInputStreamOperator<ExpertInput, ContributionBlock> {

    private static final long serialVersionUID = 1L;
    private static final byte[] NO_VECTORS = {};

    private final LocalBundle bundle;
    private final int layer;
    private final EvenKeys expertKeys;
    private final int batchSize;
    private final long lingerMillis;
    private final Capacity capacity;
    private final MoeOptions.OnError onError;

    private transient BundleSessions sessions;
    private transient ExpertCalls[] calls;
    private transient Linger linger;
    private transient RememberedWatermark watermark;
    private transient WindowAccounts accounts;
    private transient WindowQueue queue;

    /**
     * @param layer the MoE layer, counted from 0
     * @param expertKeys the keys of the N experts
     * @param batchSize rows of one call at most
     * @param linger how long a row waits at most for its call to fill
     * @param capacity C per expert and window, or null: dropless
     * @param onError what a run that throws does
     */
    public Expert(
            LocalBundle bundle,
            int layer,
            EvenKeys expertKeys,
            int batchSize,
            Duration linger,
            Capacity capacity,
            MoeOptions.OnError onError) {
        this.bundle = bundle;
        this.layer = layer;
        this.expertKeys = expertKeys;
        this.batchSize = batchSize;
        this.lingerMillis = linger.toMillis();
        this.capacity = capacity;
        this.onError = onError;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        FixedCount.keep(context, "the number of experts of layer " + layer, expertKeys.count());
    }

    @Override
    public void open() throws Exception {
        super.open();
        linger = new Linger(getProcessingTimeService(), lingerMillis, time -> runAll());
        watermark = new RememberedWatermark(this, expertKeys);
        if (capacity != null) {
            accounts =
                    new WindowAccounts(
                            this,
                            output,
                            capacity.windows(),
                            expertKeys,
                            layer,
                            WindowSummary.Source.EXPERT,
                            this::closeWindow);
        }
        sessions = new BundleSessions(bundle.open());
        if (capacity != null && capacity.isPrioritized()) {
            int k = sessions.spec().layers().get(layer).routing().numExpertsPerTok();
            queue = new WindowQueue(this, capacity, accounts, expertKeys.count(), k);
        }
        int d = sessions.spec().hiddenSize();
        DirectRows input = new DirectRows(batchSize, d);
        DirectRows results = new DirectRows(batchSize, d);
        float[] values = new float[batchSize * d];
        calls = new ExpertCalls[expertKeys.count()];
        for (int expert = 0; expert < calls.length; expert++) {
            if (watermark.isOwned(expert)) {
                calls[expert] =
                        new ExpertCalls(
                                sessions.expert(layer, expert),
                                input,
                                results,
                                values,
                                this::answer,
                                this::onFailure);
            }
        }
    }

    @Override
    public void processElement(StreamRecord<ExpertInput> element) throws Exception {
        if (element.getValue() instanceof WindowTokens count) {
            queue.addTokens(count.windowStart(), count.tokens());
            return;
        }
        DispatchBlock block = (DispatchBlock) element.getValue();
        int[] admitted = admit(block);
        if (queue != null) {
            queue.hold(block, admitted);
            return;
        }
        ExpertCalls expert = calls[block.expert()];
        expert.add(block, admitted);
        if (expert.waiting() > 0) {
            linger.start();
        }
    }

    /**
     * Admits rows while their window has room, in order, and answers the others. Prioritized, only
     * late ones are answered: the others are counted when their window closes.
     */
    private int[] admit(DispatchBlock block) throws Exception {
        int[] admitted = new int[block.rows()];
        if (capacity == null) {
            Arrays.setAll(admitted, row -> row);
            return admitted;
        }
        int[] refused = new int[block.rows()];
        byte[] outcomes = new byte[block.rows()];
        int admittedRows = 0;
        int refusedRows = 0;
        long now = watermark.of(block.expert());
        for (int row = 0; row < block.rows(); row++) {
            long timestamp = block.timestamps()[row];
            Outcome outcome = Outcome.EXECUTED;
            if (capacity.windows().isClosed(timestamp, now)) {
                outcome = Outcome.LATE;
            } else if (queue == null && !capacity.hasRoom(accounts.at(timestamp))) {
                outcome = Outcome.OVERFLOWED;
            }
            if (queue == null || outcome == Outcome.LATE) {
                accounts.count(timestamp, outcome, 1);
            }
            if (outcome == Outcome.EXECUTED) {
                admitted[admittedRows++] = row;
            } else {
                refused[refusedRows] = row;
                outcomes[refusedRows++] = outcome.code();
            }
        }
        accounts.save();
        emit(
                block,
                Arrays.copyOf(refused, refusedRows),
                Arrays.copyOf(outcomes, refusedRows),
                NO_VECTORS);
        return Arrays.copyOf(admitted, admittedRows);
    }

    /** Runs what finds room among the rows that waited for the close, and answers the others. */
    private void closeWindow(int expert, long windowStart) throws Exception {
        if (queue == null) {
            return;
        }
        for (WindowQueue.Decision decision : queue.close(windowStart)) {
            byte[] outcomes = new byte[decision.refused().length];
            Arrays.fill(outcomes, Outcome.OVERFLOWED.code());
            accounts.count(windowStart, Outcome.OVERFLOWED, outcomes.length);
            accounts.count(windowStart, Outcome.EXECUTED, decision.admitted().length);
            emit(decision.block(), decision.refused(), outcomes, NO_VECTORS);
            calls[expert].add(decision.block(), decision.admitted());
        }
        calls[expert].run();
    }

    private void runAll() throws Exception {
        for (ExpertCalls expert : calls) {
            if (expert != null) {
                expert.run();
            }
        }
    }

    private void onFailure(OnnxModel model, int rows, OrtException cause) throws FlinkException {
        String message =
                "layer %d: %s (model version %s) failed on %d rows: %s"
                        .formatted(
                                layer,
                                model.file(),
                                sessions.spec().version(),
                                rows,
                                cause.getMessage());
        if (onError == MoeOptions.OnError.FAIL) {
            throw new FlinkException(
                    "%s. With %s: residual such rows would keep their residual, marked FAILED."
                            .formatted(message, MoeOptions.EXPERT_ON_ERROR.key()),
                    cause);
        }
        LOG.warn("{}. Those to blame keep their residual.", message);
    }

    private void answer(DispatchBlock block, int[] rows, byte[] outcomes, byte[] vectors)
            throws Exception {
        emit(block, rows, outcomes, vectors);
        if (accounts == null) {
            return;
        }
        setCurrentKey(expertKeys.keyOf(block.expert()));
        for (int i = 0; i < rows.length; i++) {
            if (outcomes[i] == Outcome.FAILED.code()) {
                // Admission counted the row as executed.
                accounts.count(block.timestamps()[rows[i]], Outcome.EXECUTED, -1);
                accounts.count(block.timestamps()[rows[i]], Outcome.FAILED, 1);
            }
        }
        accounts.save();
    }

    private void emit(DispatchBlock block, int[] rows, byte[] outcomes, byte[] vectors) {
        if (rows.length == 0) {
            return;
        }
        int[] choices = new int[rows.length];
        for (int i = 0; i < rows.length; i++) {
            choices[i] = block.choices()[rows[i]];
        }
        output.collect(
                new StreamRecord<>(
                        new ContributionBlock(
                                block.lane(),
                                block.batch(),
                                block.expert(),
                                choices,
                                outcomes,
                                vectors)));
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        if (capacity != null
                && capacity.windows().endsBetween(watermark.current(), mark.getTimestamp())) {
            runAll();
        }
        watermark.advance(mark.getTimestamp());
        super.processWatermark(mark);
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
        runAll();
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        watermark.snapshot();
        super.snapshotState(context);
    }

    @Override
    public void finish() throws Exception {
        runAll();
        super.finish();
    }

    @Override
    public void close() throws Exception {
        if (sessions != null) {
            sessions.close();
        }
        super.close();
    }
}
