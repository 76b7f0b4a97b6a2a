// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.block.AdmissionInput;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.layer.RowList;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.FixedSettings;
import io.flinkmoe.runtime.shared.OpenWindows;
import io.flinkmoe.runtime.shared.RescaledLog;
import io.flinkmoe.runtime.shared.SummaryOutput;
import io.flinkmoe.runtime.shared.TaskOutputs;
import io.flinkmoe.runtime.shared.WatermarkState;
import io.flinkmoe.runtime.shared.WindowCounters;
import io.flinkmoe.runtime.slices.SlicingOperator;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Holds each expert's capacity per window and decides which choices the expert admits. Keyed by
 * expert. With next-expert overflow, each further round of admission is another operator of this
 * class. It sees scores, timestamps, streams and positions, never a vector, and calls no model.
 *
 * <p>An {@link AdmissionRule} decides on arrival, or when the watermark closes a window. In the
 * second case one slice decides for one expert and window, and further slices send the decisions;
 * the watermark follows after the last of them.
 *
 * <p>State per expert: the counts of its open windows, the choices that wait for the close of their
 * window, decisions that are not sent yet, and the watermark.
 */
@Internal
public final class Admission extends SlicingOperator<DecisionBlock>
        implements OneInputStreamOperator<AdmissionInput, DecisionBlock> {

    private static final long serialVersionUID = 1L;

    private final int layer;
    private final int round;
    private final int topK;
    private final EvenKeys expertKeys;
    private final Capacity capacity;

    private transient WatermarkState watermark;
    private transient WindowCounters counters;
    private transient AdmissionRule rule;
    private transient Outbox outbox;
    private transient TaskOutputs buffers;
    private transient AdmissionMetrics[] metrics; // by expert; null for experts of other subtasks
    private transient SummaryOutput summaries;
    private transient long forwarded;

    /**
     * @param layer the MoE layer, counted from 0
     * @param round the round of admission, from 0
     * @param topK k, choices per token
     * @param expertKeys the keys of the N experts
     * @param capacity a capacity with windows
     */
    public Admission(int layer, int round, int topK, EvenKeys expertKeys, Capacity capacity) {
        this.layer = layer;
        this.round = round;
        this.topK = topK;
        this.expertKeys = expertKeys;
        this.capacity = capacity;
    }

    @Override
    public void open() throws Exception {
        super.open();
        FixedSettings.of(capacity)
                .with("num_experts of layer " + layer, expertKeys.count())
                .with("num_experts_per_tok of layer " + layer, topK)
                .keep(getOperatorStateBackend());
        watermark = new WatermarkState(this, expertKeys);
        counters = new WindowCounters(this, expertKeys, capacity.windows());
        rule =
                capacity.decidesAtClose(round)
                        ? new WindowCloseRule(
                                capacity,
                                round,
                                new WindowQueue(this, capacity, expertKeys.count(), topK),
                                counters)
                        : new FirstComeRule(capacity, counters);
        metrics = new AdmissionMetrics[expertKeys.count()];
        for (int expert : watermark.owned()) {
            metrics[expert] = new AdmissionMetrics(getMetricGroup(), expert);
        }
        summaries = new SummaryOutput(output, layer, WindowSummary.Source.ADMISSION, round);
        forwarded = Long.MIN_VALUE;
        buffers = new TaskOutputs(getContainingTask().getEnvironment());
        outbox = new Outbox(this, expertKeys, watermark.owned(), output);
        startSlices(); // Windows that were closed, and decisions that were not sent yet.
        RescaledLog.startAnew(this);
    }

    @Override
    public void processElement(StreamRecord<AdmissionInput> element) throws Exception {
        AdmissionInput record = element.getValue();
        if (record instanceof WindowTokens tokens) {
            rule.addTokens(tokens);
        } else if (record instanceof RemainingCapacity remaining) {
            rule.setRemaining(remaining);
        } else {
            process((CandidateBlock) record);
        }
    }

    private void process(CandidateBlock block) throws Exception {
        AdmissionMetrics ofExpert = metrics[block.expert()];
        ofExpert.asked.inc(block.rows());
        Decisions decisions = new Decisions(counters, ofExpert);
        decisions.startBlock(block);
        rule.arrive(block, onTime(block, decisions), decisions);
        decisions.endBlock();
        counters.save();
        outbox.send(decisions);
        if (!capacity.decidesAtClose(round)) {
            buffers.flush(); // The tokens wait for the decisions.
        }
    }

    /** Decides on the late rows of a block, and returns the others. */
    private int[] onTime(CandidateBlock block, Decisions decisions) throws Exception {
        RowList onTime = new RowList(block.rows());
        long now = watermark.of(block.expert());
        for (int row = 0; row < block.rows(); row++) {
            if (capacity.windows().isClosed(block.timestamps()[row], now)) {
                decisions.late(row);
            } else {
                onTime.add(row);
            }
        }
        return onTime.toArray();
    }

    /** Sends decisions that are made, or decides for the next expert and window. */
    @Override
    protected boolean runSlice() throws Exception {
        if (outbox.isEmpty()) {
            OpenWindows.Window window = closedWindow();
            if (window != null) {
                close(window.index(), window.start());
            }
        } else {
            outbox.sendSome();
        }
        boolean more = !outbox.isEmpty() || closedWindow() != null;
        if (!more && watermark.current() > forwarded) {
            forwarded = watermark.current();
            super.processWatermark(new Watermark(forwarded));
        }
        return more;
    }

    private OpenWindows.Window closedWindow() {
        return counters.windows().firstClosed(watermark::of);
    }

    private void close(int expert, long windowStart) throws Exception {
        setCurrentKey(expertKeys.keyOf(expert));
        Decisions decisions = new Decisions(counters, metrics[expert]);
        int remaining = rule.close(windowStart, decisions);
        metrics[expert].release(windowStart);
        outbox.add(expert, decisions);
        if (remaining != AdmissionRule.NONE_ON_TIME && round < capacity.overflowRounds()) {
            outbox.add(expert, new RemainingCapacity(expert, windowStart, remaining));
        }
        WindowCounts counts = counters.remove(windowStart);
        summaries.emit(
                windowStart,
                expert,
                WindowSummary.NONE,
                counts,
                capacity.windows().lastOf(windowStart));
    }

    /** The watermark follows after the decisions about all windows that it closes. */
    @Override
    public void processWatermark(Watermark mark) throws Exception {
        watermark.advance(mark.getTimestamp());
        if (outbox.isEmpty() && closedWindow() == null) {
            runSlice();
        } else {
            startSlices();
        }
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        watermark.snapshot();
        outbox.snapshot();
        super.snapshotState(context);
    }

    @Override
    public void finish() throws Exception {
        super.finish();
        boolean allClosed = watermark.current() == Long.MAX_VALUE;
        if (allClosed && (!outbox.isEmpty() || !counters.windows().isEmpty())) {
            throw new IllegalStateException(
                    "the input has ended, but choices still wait for the close of their window");
        }
    }
}
