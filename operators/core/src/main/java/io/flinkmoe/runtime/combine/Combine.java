// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.onnx.layer.LayerOutput;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.layer.CombineMetrics;
import io.flinkmoe.runtime.layer.GateWeightedSum;
import io.flinkmoe.runtime.shared.AsyncThreads;
import io.flinkmoe.runtime.shared.ChoiceCounter;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.FixedSettings;
import io.flinkmoe.runtime.shared.LaneProgress;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.runtime.shared.OpenWindows;
import io.flinkmoe.runtime.shared.RescaledLog;
import io.flinkmoe.runtime.shared.SummaryOutput;
import io.flinkmoe.runtime.shared.WaitingLanes;
import io.flinkmoe.runtime.shared.WaitingTokens;
import io.flinkmoe.runtime.shared.WindowCounters;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Adds the gate-weighted expert outputs to the residual of each token once all its choices have
 * results. Keyed by lane.
 *
 * <p>Waiting residuals and results are in keyed state, by lane and batch; {@link LaneProgress}
 * indexes them without their vectors. A batch is emitted when it is complete and the first of its
 * lane. At a watermark, every complete token is emitted unless an earlier token of its stream still
 * waits. So the tokens of a stream stay in order. No watermark overtakes a token that waits here,
 * unless the token is late.
 */
@Internal
public final class Combine extends AbstractStreamOperator<TokenBlock>
        implements TwoInputStreamOperator<RoutedBlock, ContributionBlock, TokenBlock> {

    private static final long serialVersionUID = 1L;

    private static final ValueStateDescriptor<Long> NEXT_BATCH =
            new ValueStateDescriptor<>("next-batch-to-emit", LongSerializer.INSTANCE);

    private final LocalBundle bundle;
    private final int layer;
    private final EvenKeys laneKeys;
    private final Capacity capacity;

    private transient BundleSessions sessions;
    private transient WaitingLanes lanes;
    private transient ValueState<Long> nextBatch;
    private transient WaitingBatches batches;
    private transient GateWeightedSum sum;
    private transient ChoiceCounter counter;
    private transient WindowOutcomes experts;
    private transient WindowOutcomes gates;
    private transient SummaryOutput summaries;
    private transient CombineMetrics metrics;
    private transient long inputWatermark;
    private transient long outputWatermark;

    /**
     * @param layer the MoE layer, counted from 0
     * @param laneKeys the keys of the lanes
     * @param capacity how many choices of a window an expert admits
     */
    public Combine(LocalBundle bundle, int layer, EvenKeys laneKeys, Capacity capacity) {
        this.bundle = bundle;
        this.layer = layer;
        this.laneKeys = laneKeys;
        this.capacity = capacity;
    }

    @Override
    public void open() throws Exception {
        super.open();
        AsyncThreads.allow(getContainingTask().getEnvironment());
        sessions = bundle.sessions(getRuntimeContext(), Device.CPU);
        LayerSpec spec = sessions.spec().layers().get(layer);
        FixedSettings.of(capacity)
                .with(MoeOptions.LANES.key(), laneKeys.count())
                .with("output_size of layer " + layer, spec.outputSize())
                .with("carried values of layer " + layer, spec.carriedSize())
                .with("num_experts_per_tok of the gates of layer " + layer, spec.choicesOfGates())
                .keep(getOperatorStateBackend());
        sum = new GateWeightedSum(spec, capacity.weightRule(), LayerOutput.of(sessions, layer));
        metrics = new CombineMetrics(getMetricGroup());
        nextBatch = getRuntimeContext().getState(NEXT_BATCH);
        lanes = new WaitingLanes(nextBatch, 0, Integer.MAX_VALUE);
        inputWatermark = Long.MIN_VALUE;
        outputWatermark = Long.MIN_VALUE;
        summaries = new SummaryOutput(output, layer, WindowSummary.Source.COMBINE, 0);
        counter = WindowCounters.of(this, laneKeys, capacity.windows());
        experts =
                capacity.windows().areBounded()
                        ? new ExpertOutcomes(
                                getRuntimeContext(),
                                capacity.windows(),
                                spec.numExperts(),
                                new SummaryOutput(output, layer, WindowSummary.Source.EXPERT, 0))
                        : WindowOutcomes.NONE;
        gates =
                capacity.windows().areBounded() && !spec.hasOneGate()
                        ? new GateOutcomes(
                                getRuntimeContext(),
                                capacity.windows(),
                                spec.gates().size(),
                                new SummaryOutput(output, layer, WindowSummary.Source.GATE, 0))
                        : WindowOutcomes.NONE;
        batches = new WaitingBatches(this);
        restore();
        RescaledLog.startAnew(this);
    }

    /** Closes the windows that a watermark ends. */
    private void closeWindows(long watermark) throws Exception {
        OpenWindows.Window window;
        while ((window = counter.windows().firstClosed(lane -> watermark)) != null) {
            setCurrentKey(laneKeys.keyOf(window.index()));
            long last = capacity.windows().lastOf(window.start());
            summaries.emit(
                    window.start(),
                    WindowSummary.NONE,
                    window.index(),
                    counter.remove(window.start()),
                    last);
            experts.close(window.start(), window.index(), last);
            gates.close(window.start(), window.index(), last);
        }
    }

    private void restore() throws Exception {
        for (Tuple2<Integer, Long> batch : batches.all()) {
            setCurrentKey(batch.f0);
            metrics.waiting.inc(batches.restore(batch.f1, lanes.of(laneKeys.indexOf(batch.f0))));
        }
    }

    @Override
    public void processElement1(StreamRecord<RoutedBlock> element) throws Exception {
        RoutedBlock block = element.getValue();
        batches.add(block);
        metrics.waiting.inc(block.tokens().rows());
        LaneProgress progress = lanes.of(block.tokens().lane());
        progress.addTokens(block.batch(), WaitingTokens.of(block), null);
        emitFirst(progress);
    }

    @Override
    public void processElement2(StreamRecord<ContributionBlock> element) throws Exception {
        ContributionBlock block = element.getValue();
        batches.add(block);
        LaneProgress progress = lanes.of(block.lane());
        progress.addResults(block.batch(), block.choices());
        emitFirst(progress);
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        inputWatermark = mark.getTimestamp();
        for (int lane : lanes.lanes()) {
            setCurrentKey(laneKeys.keyOf(lane));
            LaneProgress progress = lanes.of(lane);
            progress.scan();
            LaneProgress.ReadyRows ready;
            while ((ready = progress.pollScanned()) != null) {
                emit(progress, ready);
            }
        }
        forwardWatermark();
    }

    @Override
    public void close() throws Exception {
        if (sessions != null) {
            sessions.close();
        }
        super.close();
    }

    @Override
    public void finish() throws Exception {
        lanes.checkEmpty("results of experts");
        super.finish();
    }

    private void emitFirst(LaneProgress progress) throws Exception {
        LaneProgress.ReadyRows ready = progress.pollFirst();
        if (ready == null) {
            return;
        }
        for (; ready != null; ready = progress.pollFirst()) {
            emit(progress, ready);
        }
        if (outputWatermark < inputWatermark) {
            forwardWatermark();
        }
    }

    /**
     * Emits tokens of the current key's lane, and removes what is no longer needed from the state.
     */
    private void emit(LaneProgress progress, LaneProgress.ReadyRows ready) throws Exception {
        long batch = ready.batch();
        TokenBlock tokens = null;
        if (ready.rows().length > 0) {
            tokens = sum.of(batches.residuals(batch), batches.results(batch), ready.rows());
            metrics.nonFiniteSums.inc(sum.nonFiniteSums());
        }
        batches.remove(ready);
        if (ready.first()) {
            nextBatch.update(progress.next());
        }
        if (tokens != null) {
            Choices choices = tokens.layers()[layer];
            counter.countBlock(tokens.timestamps(), choices.outcomes(), choices.k());
            experts.count(tokens.timestamps(), choices);
            gates.count(tokens.timestamps(), choices);
            metrics.emitted(
                    tokens,
                    choices.outcomes(),
                    getProcessingTimeService().getCurrentProcessingTime());
            output.collect(new StreamRecord<>(tokens));
        }
    }

    /**
     * Forwards the watermark, but only to just before the oldest waiting token that is not late.
     */
    private void forwardWatermark() throws Exception {
        long limit = lanes.limit(inputWatermark);
        if (limit > outputWatermark) {
            outputWatermark = limit;
            closeWindows(limit);
            super.processWatermark(new Watermark(limit));
        }
    }
}
