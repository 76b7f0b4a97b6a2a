// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.ExpertSettings;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.ExpertInputSerializer;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.layer.CallBuffers;
import io.flinkmoe.runtime.layer.CallFailures;
import io.flinkmoe.runtime.layer.ExpertCalls;
import io.flinkmoe.runtime.layer.ExpertMetrics;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.FixedSettings;
import io.flinkmoe.runtime.shared.Linger;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.runtime.shared.MoeMetrics;
import io.flinkmoe.runtime.shared.QueuedInput;
import io.flinkmoe.runtime.shared.SummaryOutput;
import io.flinkmoe.runtime.shared.WatermarkState;
import io.flinkmoe.runtime.shared.WindowCounters;
import io.flinkmoe.runtime.shared.WindowTimers;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.execution.CancelTaskException;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.OutputTag;

/**
 * Admits rows to the experts of a layer that the subtask owns, and executes them. Keyed by expert.
 * With next-expert overflow, each further round of admission is another operator of this class.
 *
 * <p>An {@link AdmissionMode} decides which rows are executed. Admitted rows of several blocks are
 * batched until a call is full, the oldest row has waited for the linger, a barrier arrives, a
 * window closes, or the input ends.
 *
 * <p>State per expert: the counts of its open windows, the rows that wait for the close of their
 * window, and the watermark.
 */
@Internal
public final class Expert extends AbstractStreamOperator<ContributionBlock>
        implements OneInputStreamOperator<ExpertInput, ContributionBlock>, WindowTimers {

    private static final long serialVersionUID = 1L;

    /** The side output to the next round of admission. */
    public static final OutputTag<ExpertInput> NEXT_ROUND =
            new OutputTag<>("next-round", ExpertInputSerializer.TYPE);

    private final LocalBundle bundle;
    private final int layer;
    private final int round;
    private final EvenKeys expertKeys;
    private final ExpertSettings settings;

    private transient BundleSessions sessions;
    private transient WatermarkState watermark;
    private transient AdmissionMode admission;
    private transient ExpertCalls[] calls; // by expert; null for experts of other subtasks
    private transient List<ExpertCalls> ownCalls;
    private transient ExpertMetrics[] metrics; // likewise
    private transient CallScheduler scheduler;
    private transient Linger linger;
    private transient QueuedInput input;
    private transient ExpertOutput expertOutput;
    private transient SummaryOutput summaries;

    /**
     * @param layer the MoE layer, counted from 0
     * @param round the round of admission, from 0
     * @param expertKeys the keys of the N experts
     */
    public Expert(
            LocalBundle bundle,
            int layer,
            int round,
            EvenKeys expertKeys,
            ExpertSettings settings) {
        this.bundle = bundle;
        this.layer = layer;
        this.round = round;
        this.expertKeys = expertKeys;
        this.settings = settings;
    }

    @Override
    public void open() throws Exception {
        super.open();
        watermark = new WatermarkState(this, expertKeys);
        sessions = bundle.sessions(getRuntimeContext(), settings.device().of(getRuntimeContext()));
        BundleSpec spec = sessions.spec();
        int k = spec.layers().get(layer).routing().numExpertsPerTok();
        Capacity capacity = settings.capacity();
        FixedSettings.of(capacity)
                .with("num_experts of layer " + layer, expertKeys.count())
                .with("num_experts_per_tok of layer " + layer, k)
                .with("hidden_size", spec.hiddenSize())
                .keep(getOperatorStateBackend());
        expertOutput = new ExpertOutput(output, capacity.weightRule().usesWindowShares());
        openCalls();
        scheduler = new CallScheduler(ownCalls);
        input = new QueuedInput(getContainingTask().getEnvironment());
        linger =
                new Linger(
                        getProcessingTimeService(),
                        settings.batching().linger().toMillis(),
                        time -> runWaiting());
        admission = admissionMode(capacity, k);
        summaries = new SummaryOutput(output, layer, WindowSummary.Source.EXPERT, round);
    }

    private AdmissionMode admissionMode(Capacity capacity, int k) {
        if (!capacity.windows().areBounded()) {
            return new DroplessAdmission();
        }
        WindowCounters counters = new WindowCounters(this, capacity.windows());
        if (!capacity.decidesAtClose(round)) {
            return new FirstComeAdmission(capacity, watermark, counters);
        }
        WindowQueue queue = new WindowQueue(this, capacity, expertKeys.count(), k);
        return new WindowCloseAdmission(capacity, round, watermark, counters, queue);
    }

    private void openCalls() throws BundleException {
        BundleSpec spec = sessions.spec();
        CallBuffers buffers = new CallBuffers(settings.batching(), spec.hiddenSize());
        CallFailures failures = CallFailures.of(settings.onError(), layer, spec.version());
        MoeMetrics.registerModel(getMetricGroup(), spec.version());
        metrics = new ExpertMetrics[expertKeys.count()];
        calls = new ExpertCalls[expertKeys.count()];
        ownCalls = new ArrayList<>();
        for (int expert = 0; expert < calls.length; expert++) {
            if (Thread.currentThread().isInterrupted()) {
                throw new CancelTaskException("cancelled while experts were opened");
            }
            if (watermark.isOwned(expert)) {
                metrics[expert] = new ExpertMetrics(getMetricGroup(), expert, round);
                calls[expert] =
                        new ExpertCalls(
                                sessions.expert(layer, expert), buffers, failures, metrics[expert]);
                metrics[expert].waiting(calls[expert]::waiting);
                ownCalls.add(calls[expert]);
            }
        }
    }

    @Override
    public void processElement(StreamRecord<ExpertInput> element) throws Exception {
        ExpertInput record = element.getValue();
        if (record instanceof WindowTokens tokens) {
            admission.addTokens(tokens);
        } else if (record instanceof RemainingCapacity remaining) {
            admission.setRemaining(remaining);
        } else {
            process((DispatchBlock) record);
        }
    }

    private void process(DispatchBlock block) throws Exception {
        ExpertMetrics ofExpert = metrics[block.expert()];
        ofExpert.tokensIn.inc(block.rows());
        RowDecisions decisions = admission.arrive(block);
        ofExpert.late.inc(decisions.late().length);
        ofExpert.held.inc(decisions.held());
        expertOutput.emit(block, decisions.late(), Outcome.LATE);
        apply(decisions);
    }

    private void apply(RowDecisions decisions) throws Exception {
        overflow(decisions.block(), decisions.overflowed());
        execute(decisions.block(), decisions.admitted());
    }

    /** Reroutes rows to their next experts; rows without a next expert overflow. */
    private void overflow(DispatchBlock block, int[] rows) {
        ExpertMetrics ofExpert = metrics[block.expert()];
        Priorities priorities = block.priorities();
        for (int[] group : RowGroups.of(rows, row -> priorities.next(row, block.attempt()))) {
            int next = priorities.next(group[0], block.attempt());
            if (next < 0) {
                ofExpert.overflowed.inc(group.length);
                expertOutput.emit(block, group, Outcome.OVERFLOWED);
            } else {
                ofExpert.passedOn.inc(group.length);
                output.collect(NEXT_ROUND, new StreamRecord<>(block.reroute(next, group)));
            }
        }
    }

    private void execute(DispatchBlock block, int[] rows) throws Exception {
        ExpertCalls ofExpert = calls[block.expert()];
        for (int from = 0; from < rows.length; ) {
            from = ofExpert.add(block, rows, from);
            if (ofExpert.isFull()) {
                run(ofExpert);
            }
        }
        if (ofExpert.waiting() > 0) {
            linger.start();
        }
    }

    @Override
    public void closeWindow(int key, long lastTimestamp) throws Exception {
        long windowStart = settings.capacity().windows().startOf(lastTimestamp);
        int expert = expertKeys.indexOf(key);
        close(expert, windowStart);
        summaries.emit(windowStart, expert, admission.removeCounts(windowStart), lastTimestamp);
    }

    private void close(int expert, long windowStart) throws Exception {
        AdmissionMode.Close close = admission.close(expert, windowStart);
        for (RowDecisions decisions : close.decisions()) {
            metrics[expert].released(decisions.block().rows());
            apply(decisions);
        }
        run(calls[expert]);
        for (ExpertInput input : close.nextRound()) {
            output.collect(NEXT_ROUND, new StreamRecord<>(input));
        }
    }

    /** Runs the waiting calls, the fullest first, unless queued input may fill them. */
    private void runWaiting() throws Exception {
        int next = scheduler.next(input.isAvailable());
        while (next >= 0) {
            run(ownCalls.get(next));
            next = scheduler.next(input.isAvailable());
        }
        if (next == CallScheduler.DEFERRED) {
            linger.start();
        }
    }

    private void runAll() throws Exception {
        for (ExpertCalls expert : ownCalls) {
            run(expert);
        }
        scheduler.reset();
    }

    private void run(ExpertCalls expert) throws Exception {
        for (ExpertCalls.Result result : expert.run()) {
            expertOutput.emit(result);
            if (result.failed() > 0) {
                setCurrentKey(expertKeys.keyOf(result.block().expert()));
                admission.countFailed(result);
            }
        }
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        if (settings.capacity().windows().endsBetween(watermark.current(), mark.getTimestamp())) {
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
