package io.flinkmoe.stream;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.Weighing;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import java.time.Duration;
import java.util.Arrays;
import org.apache.flink.runtime.io.network.partition.consumer.IndexedInputGate;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.FlinkException;
import org.apache.flink.util.OutputTag;

/**
 * Runs the experts of a layer whose key groups the subtask owns. Keyed by expert. Where overflow
 * goes to the next most probable expert, each round of it is one more of these operators.
 *
 * <p>Rows are judged when they come: late (their window is closed), turned away (the window's
 * capacity is used up), or admitted; late ones are answered at once. Admitted rows of several
 * blocks are joined until they fill a call, the oldest has waited for the linger, a barrier or the
 * close of a window comes, or the input ends. Where admission is prioritized, and in every round
 * but the first, rows that are not late wait in a {@link WindowQueue} for the close of their
 * window. What is turned away goes to the expert that it tries in the next round, or is answered
 * where there is none; at the close of a window the next round is told what room each expert has
 * left.
 *
 * <p>State per expert: the accounts of its open windows, which hold the capacity used, what waits
 * for their close, and the watermark.
 */
public final class Expert extends AbstractStreamOperator<ContributionBlock>
        implements OneInputStreamOperator<ExpertInput, ContributionBlock> {

    private static final long serialVersionUID = 1L;
    private static final byte[] NO_VECTORS = {};
    private static final float[] NO_WEIGHTS = {};

    /** The way to the next round of admission. */
    public static final OutputTag<ExpertInput> RETRIES =
            new OutputTag<>("retries", StreamTypes.EXPERT_INPUT);

    private final LocalBundle bundle;
    private final int layer;
    private final int round;
    private final EvenKeys expertKeys;
    private final int batchSize;
    private final long lingerMillis;
    private final Capacity capacity;
    private final MoeOptions.OnError onError;
    private final ExpertDevice device;

    private transient BundleSessions sessions;
    private transient CallTurns calls;
    private transient RememberedWatermark watermark;
    private transient WindowAccounts accounts;
    private transient WindowQueue queue;
    private transient ExpertMetrics[] metrics;

    /**
     * @param layer the MoE layer, counted from 0
     * @param round the round of admission, 0 to {@link Capacity#overflowRounds()}
     * @param expertKeys the keys of the N experts
     * @param batchSize rows of one call at most
     * @param linger how long a row waits at most for its call to fill
     * @param capacity C per expert and window, or null: dropless
     * @param onError what a run that throws does
     * @param device what the experts run on
     */
    public Expert(
            LocalBundle bundle,
            int layer,
            int round,
            EvenKeys expertKeys,
            int batchSize,
            Duration linger,
            Capacity capacity,
            MoeOptions.OnError onError,
            ExpertDevice device) {
        this.bundle = bundle;
        this.layer = layer;
        this.round = round;
        this.expertKeys = expertKeys;
        this.batchSize = batchSize;
        this.lingerMillis = linger.toMillis();
        this.capacity = capacity;
        this.onError = onError;
        this.device = device;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        FixedCount.keep(context, "the number of experts of layer " + layer, expertKeys.count());
    }

    @Override
    public void open() throws Exception {
        super.open();
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
                            round,
                            this::closeWindow);
        }
        sessions = new BundleSessions(bundle.open(), device.of(getRuntimeContext()));
        if (capacity != null && (capacity.isPrioritized() || round > 0)) {
            int k = sessions.spec().layers().get(layer).routing().numExpertsPerTok();
            queue = new WindowQueue(this, capacity, accounts, expertKeys.count(), k);
        }
        calls =
                new CallTurns(
                        openExperts(), getProcessingTimeService(), lingerMillis, this::inputWaits);
    }

    /** The experts of the key groups here; null for others. */
    private ExpertCalls[] openExperts() throws BundleException {
        int d = sessions.spec().hiddenSize();
        DirectRows input = new DirectRows(batchSize, d);
        DirectRows results = new DirectRows(batchSize, d);
        float[] values = new float[batchSize * d];
        MoeMetrics.registerModel(getMetricGroup(), sessions.spec().version());
        metrics = new ExpertMetrics[expertKeys.count()];
        ExpertCalls[] experts = new ExpertCalls[expertKeys.count()];
        for (int expert = 0; expert < experts.length; expert++) {
            if (watermark.isOwned(expert)) {
                metrics[expert] = new ExpertMetrics(getMetricGroup(), expert, round);
                experts[expert] =
                        new ExpertCalls(
                                sessions.expert(layer, expert),
                                input,
                                results,
                                values,
                                this::answer,
                                this::onFailure,
                                metrics[expert]);
                metrics[expert].waiting(experts[expert]::waiting);
            }
        }
        return experts;
    }

    /** Whether the network has brought more than has been processed. */
    private boolean inputWaits() {
        for (IndexedInputGate gate : getContainingTask().getEnvironment().getAllInputGates()) {
            if (gate.isApproximatelyAvailable()) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void processElement(StreamRecord<ExpertInput> element) throws Exception {
        ExpertInput input = element.getValue();
        if (input instanceof WindowTokens count) {
            queue.addTokens(count);
        } else if (input instanceof WindowRoom left) {
            queue.setRoom(left);
        } else {
            process((DispatchBlock) input);
        }
    }

    private void process(DispatchBlock block) throws Exception {
        ExpertMetrics ofExpert = metrics[block.expert()];
        ofExpert.tokensIn.inc(block.rows());
        int[] admitted = admit(block);
        if (queue != null) {
            queue.hold(block, admitted);
            ofExpert.held.inc(admitted.length);
        } else {
            calls.add(block, admitted);
        }
    }

    /**
     * Admits rows while their window has room, in order; answers late ones, turns away the others.
     * What waits for the close of its window is admitted here, and counted then.
     */
    private int[] admit(DispatchBlock block) throws Exception {
        int[] admitted = new int[block.rows()];
        if (capacity == null) {
            Arrays.setAll(admitted, row -> row);
            return admitted;
        }
        int[] late = new int[block.rows()];
        int[] refused = new int[block.rows()];
        int admittedRows = 0;
        int lateRows = 0;
        int refusedRows = 0;
        long now = watermark.of(block.expert());
        for (int row = 0; row < block.rows(); row++) {
            long timestamp = block.timestamps()[row];
            if (capacity.windows().isClosed(timestamp, now)) {
                accounts.count(timestamp, Outcome.LATE, 1);
                late[lateRows++] = row;
            } else if (queue != null) {
                admitted[admittedRows++] = row;
            } else if (capacity.roomLeft(accounts.at(timestamp)) > 0) {
                accounts.count(timestamp, Outcome.EXECUTED, 1);
                admitted[admittedRows++] = row;
            } else {
                accounts.count(timestamp, Outcome.OVERFLOWED, 1);
                refused[refusedRows++] = row;
            }
        }
        accounts.save();
        metrics[block.expert()].late.inc(lateRows);
        settle(block, Arrays.copyOf(late, lateRows), Outcome.LATE);
        turnAway(block, Arrays.copyOf(refused, refusedRows));
        return Arrays.copyOf(admitted, admittedRows);
    }

    /** Sends rows to the experts that they try next; answers those that have none. */
    private void turnAway(DispatchBlock block, int[] rows) {
        ExpertMetrics ofExpert = metrics[block.expert()];
        Priorities priorities = block.priorities();
        for (int[] alike : RowGroups.of(rows, row -> priorities.next(row, block.attempt()))) {
            int next = priorities.next(alike[0], block.attempt());
            if (next < 0) {
                ofExpert.overflowed.inc(alike.length);
                settle(block, alike, Outcome.OVERFLOWED);
            } else {
                ofExpert.passedOn.inc(alike.length);
                output.collect(RETRIES, new StreamRecord<>(block.retry(next, alike)));
            }
        }
    }

    /** Runs what finds room among the rows that waited for the close, and turns away the others. */
    private void closeWindow(int expert, long windowStart) throws Exception {
        int roomLeft;
        if (queue == null) {
            roomLeft = capacity.roomLeft(accounts.at(windowStart));
        } else {
            WindowQueue.Close close = queue.close(windowStart);
            for (WindowQueue.Decision decision : close.blocks()) {
                accounts.count(windowStart, Outcome.OVERFLOWED, decision.refused().length);
                accounts.count(windowStart, Outcome.EXECUTED, decision.admitted().length);
                metrics[expert].released(decision.block().rows());
                turnAway(decision.block(), decision.refused());
                calls.add(decision.block(), decision.admitted());
            }
            calls.run(expert);
            roomLeft = close.roomLeft();
        }
        // What comes late opens an account once more, and its close says nothing of the room.
        boolean closedBefore = capacity.windows().isClosed(windowStart, watermark.before(expert));
        if (round < capacity.overflowRounds() && !closedBefore) {
            output.collect(
                    RETRIES, new StreamRecord<>(new WindowRoom(expert, windowStart, roomLeft)));
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
        emit(block, rows, outcomes, weights(block, rows, outcomes), vectors);
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

    /** The shares of the executed rows in their window, where these are the weights. */
    private float[] weights(DispatchBlock block, int[] rows, byte[] outcomes) {
        if (capacity == null || capacity.weighing() != Weighing.WINDOW) {
            return NO_WEIGHTS;
        }
        float[] weights = new float[rows.length];
        int executed = 0;
        for (int i = 0; i < rows.length; i++) {
            if (outcomes[i] == Outcome.EXECUTED.code()) {
                weights[executed++] = block.priorities().scores()[rows[i]];
            }
        }
        return Arrays.copyOf(weights, executed);
    }

    /** Answers rows that do not run. */
    private void settle(DispatchBlock block, int[] rows, Outcome outcome) {
        byte[] outcomes = new byte[rows.length];
        Arrays.fill(outcomes, outcome.code());
        emit(block, rows, outcomes, NO_WEIGHTS, NO_VECTORS);
    }

    private void emit(
            DispatchBlock block, int[] rows, byte[] outcomes, float[] weights, byte[] vectors) {
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
                                block.attempt(),
                                choices,
                                outcomes,
                                weights,
                                vectors)));
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        if (capacity != null
                && capacity.windows().endsBetween(watermark.current(), mark.getTimestamp())) {
            calls.runAll();
        }
        watermark.advance(mark.getTimestamp());
        super.processWatermark(mark);
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
        calls.runAll();
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        watermark.snapshot();
        super.snapshotState(context);
    }

    @Override
    public void finish() throws Exception {
        calls.runAll();
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
