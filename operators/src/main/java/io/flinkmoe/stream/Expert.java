package io.flinkmoe.stream;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.tensor.Floats;
import java.time.Duration;
import java.util.Arrays;
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
 * close of a window comes, or the input ends. State per expert: the accounts of its open windows,
 * which hold the capacity used, and the watermark.
 */
public final class Expert extends AbstractStreamOperator<ContributionBlock>
        implements OneInputStreamOperator<DispatchBlock, ContributionBlock> {

    private static final long serialVersionUID = 1L;

    private final LocalBundle bundle;
    private final int layer;
    private final EvenKeys expertKeys;
    private final int batchSize;
    private final long lingerMillis;
    private final Capacity capacity;
    private final MoeOptions.OnError onError;

    private transient BundleSessions sessions;
    private transient OnnxModel[] models;
    private transient ExpertQueue[] queues;
    private transient DirectRows input;
    private transient DirectRows results;
    private transient float[] values;
    private transient int d;
    private transient boolean timerSet;
    private transient RememberedWatermark watermark;
    private transient WindowAccounts accounts;

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
    public void open() throws Exception {
        super.open();
        watermark = new RememberedWatermark(this, expertKeys);
        sessions = new BundleSessions(bundle.open());
        d = sessions.spec().hiddenSize();
        models = new OnnxModel[expertKeys.count()];
        queues = new ExpertQueue[expertKeys.count()];
        for (int expert = 0; expert < models.length; expert++) {
            if (watermark.isOwned(expert)) {
                models[expert] = sessions.expert(layer, expert);
                queues[expert] = new ExpertQueue();
            }
        }
        input = new DirectRows(batchSize, d);
        results = new DirectRows(batchSize, d);
        values = new float[batchSize * d];
        if (capacity != null) {
            accounts =
                    new WindowAccounts(
                            this,
                            output,
                            capacity.windows(),
                            expertKeys,
                            layer,
                            WindowSummary.Source.EXPERT);
        }
    }

    @Override
    public void processElement(StreamRecord<DispatchBlock> element) throws Exception {
        DispatchBlock block = element.getValue();
        int[] admitted = admit(block);
        ExpertQueue queue = queues[block.expert()];
        for (int from = 0; from < admitted.length; ) {
            int to = Math.min(admitted.length, from + batchSize - queue.rows());
            queue.add(block, Arrays.copyOfRange(admitted, from, to));
            from = to;
            if (queue.rows() == batchSize) {
                run(block.expert());
            }
        }
        if (queue.rows() > 0) {
            startLinger();
        }
    }

    /** Admits rows while their window has room, in order, and answers the others. */
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
            } else if (!capacity.hasRoom(accounts.at(timestamp))) {
                outcome = Outcome.OVERFLOWED;
            }
            accounts.count(timestamp, outcome, 1);
            if (outcome == Outcome.EXECUTED) {
                admitted[admittedRows++] = row;
            } else {
                refused[refusedRows] = block.choices()[row];
                outcomes[refusedRows++] = outcome.code();
            }
        }
        accounts.save();
        if (refusedRows > 0) {
            answer(
                    block,
                    Arrays.copyOf(refused, refusedRows),
                    Arrays.copyOf(outcomes, refusedRows),
                    new byte[0]);
        }
        return Arrays.copyOf(admitted, admittedRows);
    }

    private void startLinger() {
        if (!timerSet) {
            timerSet = true;
            long now = getProcessingTimeService().getCurrentProcessingTime();
            getProcessingTimeService().registerTimer(now + lingerMillis, this::onLinger);
        }
    }

    private void onLinger(long time) throws Exception {
        timerSet = false;
        runAll();
    }

    private void runAll() throws Exception {
        for (int expert = 0; expert < queues.length; expert++) {
            if (queues[expert] != null && queues[expert].rows() > 0) {
                run(expert);
            }
        }
    }

    /** Runs all rows that wait for one expert, at most a batch, in one call. */
    private void run(int expert) throws Exception {
        ExpertQueue queue = queues[expert];
        int row = 0;
        for (ExpertQueue.Part part : queue.parts()) {
            row += copyIn(part, row);
        }
        boolean ran = tryRun(expert, queue.rows());
        row = 0;
        for (ExpertQueue.Part part : queue.parts()) {
            answer(part, row, ran);
            row += part.rows().length;
        }
        queue.clear();
    }

    private int copyIn(ExpertQueue.Part part, int at) {
        int count = part.rows().length;
        byte[] vectors = part.block().vectors();
        if (part.rows()[count - 1] - part.rows()[0] == count - 1) {
            input.put(vectors, part.rows()[0], at, count);
        } else {
            for (int i = 0; i < count; i++) {
                input.put(vectors, part.rows()[i], at + i, 1);
            }
        }
        return count;
    }

    private boolean tryRun(int expert, int rows) throws FlinkException {
        try {
            models[expert].run(input, results, rows);
            results.get(values, 0, rows);
            return true;
        } catch (OrtException e) {
            if (onError == MoeOptions.OnError.FAIL) {
                throw new FlinkException(
                        "expert %d of layer %d (%s, model version %s) failed on %d rows: %s. With %s: residual such rows would keep their residual, marked FAILED."
                                .formatted(
                                        expert,
                                        layer,
                                        models[expert].file(),
                                        sessions.spec().version(),
                                        rows,
                                        e.getMessage(),
                                        MoeOptions.EXPERT_ON_ERROR.key()),
                        e);
            }
            LOG.warn(
                    "expert {} of layer {} failed on {} rows, which keep their residual",
                    expert,
                    layer,
                    rows,
                    e);
            return false;
        }
    }

    /** Answers the rows of a part, whose results start at row {@code at} of the call. */
    private void answer(ExpertQueue.Part part, int at, boolean ran) throws Exception {
        int count = part.rows().length;
        int[] choices = new int[count];
        byte[] outcomes = new byte[count];
        int executed = 0;
        for (int i = 0; i < count; i++) {
            choices[i] = part.block().choices()[part.rows()[i]];
            boolean usable = ran && Floats.allFinite(values, (at + i) * d, d);
            outcomes[i] = (usable ? Outcome.EXECUTED : Outcome.FAILED).code();
            executed += usable ? 1 : 0;
        }
        byte[] vectors = new byte[executed * d * Float.BYTES];
        if (executed == count) {
            results.get(at, vectors, 0, count);
        } else {
            int next = 0;
            for (int i = 0; i < count; i++) {
                if (outcomes[i] == Outcome.EXECUTED.code()) {
                    results.get(at + i, vectors, next++, 1);
                }
            }
            countFailed(part, outcomes);
        }
        answer(part.block(), choices, outcomes, vectors);
    }

    /** Admission counted these rows as executed. */
    private void countFailed(ExpertQueue.Part part, byte[] outcomes) throws Exception {
        if (accounts == null) {
            return;
        }
        setCurrentKey(expertKeys.keyOf(part.block().expert()));
        for (int i = 0; i < outcomes.length; i++) {
            if (outcomes[i] == Outcome.FAILED.code()) {
                long timestamp = part.block().timestamps()[part.rows()[i]];
                accounts.count(timestamp, Outcome.EXECUTED, -1);
                accounts.count(timestamp, Outcome.FAILED, 1);
            }
        }
        accounts.save();
    }

    private void answer(DispatchBlock block, int[] choices, byte[] outcomes, byte[] vectors) {
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
