// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.config.ExpertSettings;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.ExpertModel;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.layer.CallBuffers;
import io.flinkmoe.runtime.layer.CallFailures;
import io.flinkmoe.runtime.layer.ExpertCalls;
import io.flinkmoe.runtime.layer.ExpertMetrics;
import io.flinkmoe.runtime.shared.AsyncThreads;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.FixedSettings;
import io.flinkmoe.runtime.shared.Linger;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.runtime.shared.MoeMetrics;
import io.flinkmoe.runtime.shared.QueuedInput;
import io.flinkmoe.runtime.shared.RescaledLog;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.runtime.execution.CancelTaskException;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Executes rows on the experts of a layer that the subtask owns. Keyed by expert. It knows no
 * capacity: all rows that it receives are executed.
 *
 * <p>Rows of several blocks are batched until a call is full, the oldest row has waited for the
 * linger, or the input ends. Rows that wait when a barrier arrives go to the state, so that a
 * checkpoint runs no call that is not full, unless they take too much memory together. A watermark
 * does not wait for rows: the combine never lets it pass a token that still misses an output.
 */
@Internal
public final class Expert extends AbstractStreamOperator<ContributionBlock>
        implements OneInputStreamOperator<ExpertRows, ContributionBlock> {

    private static final long serialVersionUID = 1L;

    /** The largest size of the waiting rows of a subtask in a checkpoint, without their keys. */
    private static final long MAX_WAITING_BYTES = 16 << 20;

    private static final ListStateDescriptor<ExpertRows> WAITING =
            new ListStateDescriptor<>("waiting-rows", new ExpertRows.Serializer());

    private final LocalBundle bundle;
    private final int layer;
    private final EvenKeys expertKeys;
    private final ExpertSettings settings;

    private transient BundleSessions sessions;
    private transient ExpertCalls[] calls; // by expert; null for experts of other subtasks
    private transient int[] ownExperts;
    private transient ExpertMetrics[] metrics; // by expert, likewise
    private transient ListState<ExpertRows> waiting;
    private transient Set<Integer> inState; // experts with waiting rows in the state
    private transient CallScheduler scheduler;
    private transient Linger linger;
    private transient QueuedInput input;
    private transient int rowBytes;

    /**
     * @param layer the MoE layer, counted from 0
     * @param expertKeys the keys of the N experts
     */
    public Expert(LocalBundle bundle, int layer, EvenKeys expertKeys, ExpertSettings settings) {
        this.bundle = bundle;
        this.layer = layer;
        this.expertKeys = expertKeys;
        this.settings = settings;
    }

    @Override
    public void open() throws Exception {
        super.open();
        AsyncThreads.allow(getContainingTask().getEnvironment());
        sessions = bundle.sessions(getRuntimeContext(), settings.device().of(getRuntimeContext()));
        int width = sessions.spec().layers().get(layer).expertRowSize();
        rowBytes = width * Float.BYTES; // At most: an expert may read a slice.
        new FixedSettings()
                .with("num_experts of layer " + layer, expertKeys.count())
                .with("input_size of layer " + layer, width)
                .keep(getOperatorStateBackend());
        openCalls();
        List<ExpertCalls> ownCalls = new ArrayList<>();
        for (int expert : ownExperts) {
            ownCalls.add(calls[expert]);
        }
        scheduler = new CallScheduler(ownCalls);
        input = new QueuedInput(getContainingTask().getEnvironment());
        linger =
                new Linger(
                        getProcessingTimeService(),
                        settings.batching().linger().toMillis(),
                        time -> runWaiting());
        restore();
        RescaledLog.startAnew(this);
    }

    private void openCalls() throws BundleException {
        BundleSpec spec = sessions.spec();
        CallBuffers.Shared buffers = new CallBuffers.Shared(settings.batching());
        CallFailures failures = CallFailures.of(settings.onError(), layer, spec.version());
        MoeMetrics.registerModel(getMetricGroup(), spec.version());
        metrics = new ExpertMetrics[expertKeys.count()];
        calls = new ExpertCalls[expertKeys.count()];
        ownExperts = expertKeys.owned(getRuntimeContext().getTaskInfo());
        for (int expert : ownExperts) {
            if (Thread.currentThread().isInterrupted()) {
                throw new CancelTaskException("cancelled while experts were opened");
            }
            metrics[expert] = new ExpertMetrics().register(getMetricGroup(), expert);
            ExpertModel model = sessions.expert(layer, expert);
            calls[expert] = new ExpertCalls(model, buffers.of(model), failures, metrics[expert]);
            ExpertMetrics.registerWaiting(getMetricGroup(), expert, calls[expert]::waiting);
        }
    }

    private void restore() throws Exception {
        waiting = getRuntimeContext().getListState(WAITING);
        inState = new HashSet<>();
        for (int expert : ownExperts) {
            setCurrentKey(expertKeys.keyOf(expert));
            for (ExpertRows rows : waiting.get()) {
                add(rows);
                inState.add(expert);
            }
        }
    }

    @Override
    public void processElement(StreamRecord<ExpertRows> element) throws Exception {
        ExpertRows rows = element.getValue();
        metrics[rows.expert()].tokensIn.inc(rows.rows());
        add(rows);
    }

    private void add(ExpertRows rows) throws Exception {
        ExpertCalls ofExpert = calls[rows.expert()];
        for (int from = 0; from < rows.rows(); ) {
            from = ofExpert.add(rows, from);
            if (ofExpert.isFull()) {
                run(ofExpert);
            }
        }
        if (ofExpert.waiting() > 0) {
            linger.start();
        }
    }

    /** Runs the waiting calls, the fullest first, unless queued input may fill them. */
    private void runWaiting() throws Exception {
        int next = scheduler.next(input.isAvailable());
        while (next >= 0) {
            run(calls[ownExperts[next]]);
            next = scheduler.next(input.isAvailable());
        }
        if (next == CallScheduler.DEFERRED) {
            linger.start();
        }
    }

    private void run(ExpertCalls expert) throws Exception {
        for (ContributionBlock result : expert.run()) {
            output.collect(new StreamRecord<>(result));
        }
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
        while (scheduler.waiting() * rowBytes > MAX_WAITING_BYTES) {
            run(calls[ownExperts[scheduler.fullest()]]);
        }
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        for (int expert : inState) {
            setCurrentKey(expertKeys.keyOf(expert));
            waiting.clear();
        }
        inState.clear();
        for (int expert : ownExperts) {
            if (calls[expert].waiting() > 0) {
                setCurrentKey(expertKeys.keyOf(expert));
                waiting.update(calls[expert].waitingRows());
                inState.add(expert);
            }
        }
        super.snapshotState(context);
    }

    @Override
    public void finish() throws Exception {
        for (int expert : ownExperts) {
            run(calls[expert]);
        }
        scheduler.reset();
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
