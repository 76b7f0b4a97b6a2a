// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ResidualBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.layer.CombineMetrics;
import io.flinkmoe.runtime.layer.GateWeightedSum;
import io.flinkmoe.runtime.shared.ChoiceCounter;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.FixedSettings;
import io.flinkmoe.runtime.shared.SummaryOutput;
import io.flinkmoe.runtime.shared.WindowCounters;
import io.flinkmoe.runtime.shared.WindowTimers;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.common.typeutils.base.array.BooleanPrimitiveArraySerializer;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.runtime.state.KeyedStateBackend;
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
        implements TwoInputStreamOperator<ResidualBlock, ContributionBlock, TokenBlock>,
                WindowTimers {

    private static final long serialVersionUID = 1L;

    private static final ValueStateDescriptor<ResidualBlock> RESIDUALS =
            new ValueStateDescriptor<>("residuals", new ResidualBlock.Serializer());
    private static final ListStateDescriptor<ContributionBlock> CONTRIBUTIONS =
            new ListStateDescriptor<>("contributions", new ContributionBlock.Serializer());
    private static final ValueStateDescriptor<Long> NEXT_BATCH =
            new ValueStateDescriptor<>("next-batch-to-emit", LongSerializer.INSTANCE);
    private static final ValueStateDescriptor<boolean[]> EMITTED =
            new ValueStateDescriptor<>("emitted", BooleanPrimitiveArraySerializer.INSTANCE);

    private final int layer;
    private final int d;
    private final EvenKeys laneKeys;
    private final Capacity capacity;

    private transient Map<Integer, LaneProgress> lanes;
    private transient ValueState<Long> nextBatch;
    private transient GateWeightedSum sum;
    private transient ChoiceCounter counter;
    private transient SummaryOutput summaries;
    private transient CombineMetrics metrics;
    private transient long inputWatermark;
    private transient long outputWatermark;

    /**
     * @param layer the MoE layer, counted from 0
     * @param d the width of a vector
     * @param laneKeys the keys of the lanes
     * @param capacity how many choices of a window an expert admits
     */
    public Combine(int layer, int d, EvenKeys laneKeys, Capacity capacity) {
        this.layer = layer;
        this.d = d;
        this.laneKeys = laneKeys;
        this.capacity = capacity;
    }

    @Override
    public void open() throws Exception {
        super.open();
        FixedSettings.of(capacity).with("hidden_size", d).keep(getOperatorStateBackend());
        sum = new GateWeightedSum(d, capacity.weightRule());
        metrics = new CombineMetrics(getMetricGroup());
        lanes = new HashMap<>();
        nextBatch = getRuntimeContext().getState(NEXT_BATCH);
        inputWatermark = Long.MIN_VALUE;
        outputWatermark = Long.MIN_VALUE;
        summaries = new SummaryOutput(output, layer, WindowSummary.Source.COMBINE, 0);
        counter =
                capacity.windows().areBounded()
                        ? new WindowCounters(this, capacity.windows())
                        : ChoiceCounter.NONE;
        restoreIndex();
    }

    @Override
    public void closeWindow(int key, long lastTimestamp) throws Exception {
        long windowStart = capacity.windows().startOf(lastTimestamp);
        summaries.emit(
                windowStart, laneKeys.indexOf(key), counter.remove(windowStart), lastTimestamp);
    }

    private void restoreIndex() throws Exception {
        for (Tuple2<Integer, Long> entry : waiting(RESIDUALS.getName())) {
            setCurrentKey(entry.f0);
            ResidualBlock block = residuals(entry.f1).value();
            metrics.waiting.inc(block.tokens().rows() - countTrue(emitted(entry.f1).value()));
            progress(block.tokens().lane()).addResiduals(block, emitted(entry.f1).value());
        }
        for (Tuple2<Integer, Long> entry : waiting(EMITTED.getName())) {
            setCurrentKey(entry.f0);
            if (residuals(entry.f1).value() == null) {
                progress(laneKeys.indexOf(entry.f0)).addEmitted(entry.f1);
            }
        }
        for (Tuple2<Integer, Long> entry : waiting(CONTRIBUTIONS.getName())) {
            setCurrentKey(entry.f0);
            for (ContributionBlock block : results(entry.f1)) {
                progress(block.lane()).addResults(block.batch(), block.choices());
            }
        }
    }

    private static int countTrue(boolean[] flags) {
        int count = 0;
        for (int i = 0; flags != null && i < flags.length; i++) {
            count += flags[i] ? 1 : 0;
        }
        return count;
    }

    /** Returns the keys and batches that have an entry in a state. */
    private List<Tuple2<Integer, Long>> waiting(String state) throws Exception {
        residuals(0);
        contributions(0);
        emitted(0); // A state must be registered with the backend before its keys are listed.
        KeyedStateBackend<Integer> backend = getKeyedStateBackend();
        try (var entries = backend.<Long>getKeysAndNamespaces(state)) {
            return entries.toList();
        }
    }

    @Override
    public void processElement1(StreamRecord<ResidualBlock> element) throws Exception {
        ResidualBlock block = element.getValue();
        residuals(block.batch()).update(block);
        metrics.waiting.inc(block.tokens().rows());
        LaneProgress progress = progress(block.tokens().lane());
        progress.addResiduals(block, null);
        emitFirst(progress);
    }

    @Override
    public void processElement2(StreamRecord<ContributionBlock> element) throws Exception {
        ContributionBlock block = element.getValue();
        contributions(block.batch()).add(block);
        LaneProgress progress = progress(block.lane());
        progress.addResults(block.batch(), block.choices());
        emitFirst(progress);
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        inputWatermark = mark.getTimestamp();
        for (Map.Entry<Integer, LaneProgress> lane : lanes.entrySet()) {
            setCurrentKey(laneKeys.keyOf(lane.getKey()));
            for (LaneProgress.ReadyRows ready : lane.getValue().pollAll()) {
                emit(lane.getValue(), ready);
            }
        }
        forwardWatermark();
    }

    @Override
    public void finish() throws Exception {
        for (Map.Entry<Integer, LaneProgress> lane : lanes.entrySet()) {
            if (!lane.getValue().isEmpty()) {
                throw new IllegalStateException(
                        "the input has ended, but tokens of lane %d still wait for results of experts"
                                .formatted(lane.getKey()));
            }
        }
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
            tokens = sum.of(residuals(batch).value(), results(batch), ready.rows());
            metrics.nonFiniteSums.inc(sum.nonFiniteSums());
        }
        boolean allEmitted = true;
        for (boolean emitted : ready.emitted()) {
            allEmitted &= emitted;
        }
        if (ready.first() || allEmitted) {
            residuals(batch).clear();
            contributions(batch).clear();
        }
        if (ready.first()) {
            emitted(batch).clear();
            nextBatch.update(progress.next());
        } else {
            emitted(batch).update(ready.emitted());
        }
        if (tokens != null) {
            Choices choices = tokens.layers()[layer];
            counter.countBlock(tokens.timestamps(), choices.outcomes(), choices.k());
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
        long limit = inputWatermark;
        for (LaneProgress progress : lanes.values()) {
            long waiting = progress.minTimestamp();
            if (waiting != Long.MAX_VALUE) {
                limit = Math.min(limit, waiting - 1);
            }
        }
        if (limit > outputWatermark) {
            outputWatermark = limit;
            super.processWatermark(new Watermark(limit));
        }
    }

    /** The progress of the current key's lane. */
    private LaneProgress progress(int lane) throws Exception {
        LaneProgress progress = lanes.get(lane);
        if (progress == null) {
            Long next = nextBatch.value();
            progress = new LaneProgress(next == null ? 0 : next);
            lanes.put(lane, progress);
        }
        return progress;
    }

    private ValueState<ResidualBlock> residuals(long batch) throws Exception {
        return getPartitionedState(batch, LongSerializer.INSTANCE, RESIDUALS);
    }

    private Iterable<ContributionBlock> results(long batch) throws Exception {
        Iterable<ContributionBlock> results = contributions(batch).get();
        return results == null ? List.of() : results;
    }

    private ListState<ContributionBlock> contributions(long batch) throws Exception {
        return getPartitionedState(batch, LongSerializer.INSTANCE, CONTRIBUTIONS);
    }

    private ValueState<boolean[]> emitted(long batch) throws Exception {
        return getPartitionedState(batch, LongSerializer.INSTANCE, EMITTED);
    }
}
