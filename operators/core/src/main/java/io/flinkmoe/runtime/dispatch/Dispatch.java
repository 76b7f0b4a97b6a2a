// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.layer.RowsByExpert;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.FixedSettings;
import io.flinkmoe.runtime.shared.LaneProgress;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.runtime.shared.RescaledLog;
import io.flinkmoe.runtime.shared.WaitingLanes;
import io.flinkmoe.runtime.shared.WaitingTokens;
import io.flinkmoe.runtime.slices.SlicingOperator;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Keeps the vectors of the tokens until all choices of a token are decided, then sends the admitted
 * choices to the experts and the residual to the combine. Keyed by lane.
 *
 * <p>A token leaves when all its choices are decided and all earlier tokens of its stream have
 * left, as {@link LaneProgress} has it. What leaves together gets a batch number of its own,
 * without gaps, by which the combine keeps the order. No watermark overtakes a token that waits
 * here, unless the token is late.
 *
 * <p>Tokens leave in slices: those of one batch in each, or some of them. A record of the input is
 * only recorded, so that a barrier never waits for the work that a closed window has set free. But
 * while very many tokens are ready, arriving batches send as many tokens as they have, so that the
 * state does not grow with the input. While slices are paused for the barrier of a checkpoint,
 * batches are only recorded, and send later: otherwise the barrier would wait until the experts
 * have computed as many tokens. Tokens that are not decided never stop the input: their decisions
 * depend on it.
 */
@Internal
public final class Dispatch extends SlicingOperator<RoutedBlock>
        implements TwoInputStreamOperator<RoutedBlock, DecisionBlock, RoutedBlock> {

    private static final long serialVersionUID = 1L;

    /** The first batch of a lane that has received none. */
    private static final long UNKNOWN = -1;

    /**
     * How much a slice sends to the experts, unless that is less than {@link #SLICE_TOKENS}. While
     * it sends, a barrier waits for as many network buffers, which become free only when the
     * experts have computed what was in them.
     */
    private static final int SLICE_BYTES = 512 * 1024;

    /** With fewer tokens in a slice, each expert would receive only a few rows at once. */
    private static final int SLICE_TOKENS = 128;

    /** How many tokens of a lane may be ready before arriving batches send some of them. */
    private static final int MAX_READY = 4096;

    /** The tokens that may arrive in a pause before arriving batches send some of them. */
    private static final int PAUSE_TOKENS = 65_536;

    /** Likewise, the bytes of their vectors. */
    private static final int PAUSE_BYTES = 64 * 1024 * 1024;

    private static final int NO_LANE = -1;

    private static final ValueStateDescriptor<Long> NEXT_TO_LEAVE =
            new ValueStateDescriptor<>("next-batch-to-leave", LongSerializer.INSTANCE);
    private static final ValueStateDescriptor<Long> NEXT_NUMBER =
            new ValueStateDescriptor<>("next-number", LongSerializer.INSTANCE);

    private final LocalBundle bundle;
    private final int layer;
    private final EvenKeys laneKeys;

    private transient LayerSpec spec;
    private transient WaitingLanes lanes;
    private transient Set<Integer> active; // lanes whose tokens may leave
    private transient WaitingBatches batches;
    private transient ValueState<Long> nextToLeave;
    private transient ValueState<Long> nextNumber;
    private transient RowsByExpert rowsByExpert;
    private transient int maxOwedInPause;
    private transient int maxRows; // in a slice
    private transient int inParts; // the lane that has perhaps sent only a part of a batch
    private transient int owed; // tokens that have arrived, without those that were sent for them
    private transient DispatchMetrics metrics;
    private transient long inputWatermark;
    private transient long outputWatermark;

    /**
     * @param layer the MoE layer, counted from 0
     * @param laneKeys the keys of the lanes
     */
    public Dispatch(LocalBundle bundle, int layer, EvenKeys laneKeys) {
        this.bundle = bundle;
        this.layer = layer;
        this.laneKeys = laneKeys;
    }

    @Override
    public void open() throws Exception {
        super.open();
        spec = bundle.open(getRuntimeContext()).spec().layers().get(layer);
        new FixedSettings()
                .with(MoeOptions.LANES.key(), laneKeys.count())
                .with("num_experts of layer " + layer, spec.numExperts())
                .with("input_size of layer " + layer, spec.expertRowSize())
                .with("carried values of layer " + layer, spec.carriedSize())
                .with("num_experts_per_tok of the gates of layer " + layer, spec.choicesOfGates())
                .keep(getOperatorStateBackend());
        active = new LinkedHashSet<>();
        batches = new WaitingBatches(this);
        nextToLeave = getRuntimeContext().getState(NEXT_TO_LEAVE);
        long rowBytes = (long) spec.expertRowSize() * Float.BYTES;
        maxOwedInPause = (int) Math.min(PAUSE_TOKENS, PAUSE_BYTES / rowBytes);
        maxRows = (int) Math.max(SLICE_TOKENS, SLICE_BYTES / (spec.choices() * rowBytes));
        lanes = new WaitingLanes(nextToLeave, UNKNOWN, maxRows);
        inParts = NO_LANE;
        nextNumber = getRuntimeContext().getState(NEXT_NUMBER);
        rowsByExpert = new RowsByExpert(spec);
        metrics = new DispatchMetrics(getMetricGroup());
        inputWatermark = Long.MIN_VALUE;
        outputWatermark = Long.MIN_VALUE;
        owed = 0;
        restore();
        RescaledLog.startAnew(this);
    }

    private void restore() throws Exception {
        for (Tuple2<Integer, Long> batch : batches.all()) {
            setCurrentKey(batch.f0);
            int lane = laneKeys.indexOf(batch.f0);
            metrics.waiting.inc(batches.restore(batch.f1, lanes.of(lane)));
        }
        scanAll();
    }

    @Override
    public void processElement1(StreamRecord<RoutedBlock> element) throws Exception {
        RoutedBlock block = element.getValue();
        WaitingTokens tokens = WaitingTokens.of(block);
        batches.add(block, tokens);
        metrics.waiting.inc(tokens.rows());
        int lane = block.tokens().lane();
        LaneProgress progress = lanes.of(lane);
        if (progress.next() == UNKNOWN) {
            startAt(block.batch(), progress);
        }
        progress.addTokens(block.batch(), tokens, null);
        activate(lane, progress);
        owed = lanes.mostReady() > MAX_READY ? owed + tokens.rows() : Math.min(owed, 0);
        // What is owed when a barrier has passed is paid in parts: the next barrier may be near.
        int mayOwe = isPaused() ? maxOwedInPause : owed - 2 * tokens.rows();
        while (owed > Math.max(0, mayOwe) && !active.isEmpty() && !yieldsToTask()) {
            runSlice(); // Sets another key.
        }
    }

    /**
     * Starts a lane at the first batch that it receives. Its number is above 0 if a capacity has
     * been added to a job with state. The combine expects the same number next.
     */
    private void startAt(long batch, LaneProgress progress) throws Exception {
        progress.startAt(batch);
        nextToLeave.update(batch);
        nextNumber.update(batch);
    }

    @Override
    public void processElement2(StreamRecord<DecisionBlock> element) throws Exception {
        DecisionBlock block = element.getValue();
        LaneProgress progress = lanes.of(block.lane());
        for (DecisionBlock.OfBatch decisions : block.batches()) {
            batches.add(decisions);
            progress.addResults(decisions.batch(), decisions.choices());
        }
        activate(block.lane(), progress);
    }

    private void activate(int lane, LaneProgress progress) {
        if (progress.isFirstComplete()) {
            active.add(lane);
            startSlices();
        }
    }

    private void scanAll() throws Exception {
        for (int lane : lanes.lanes()) {
            if (lanes.of(lane).scan()) {
                active.add(lane);
                startSlices();
            }
        }
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        inputWatermark = mark.getTimestamp();
        scanAll();
        if (active.isEmpty()) {
            forwardWatermark();
        }
    }

    /** Sends tokens of one batch that may leave, if there are any. */
    @Override
    protected boolean runSlice() throws Exception {
        boolean sent = false;
        while (!sent && !active.isEmpty()) {
            int lane = inParts == NO_LANE ? active.iterator().next() : inParts;
            active.remove(lane);
            inParts = NO_LANE;
            setCurrentKey(laneKeys.keyOf(lane));
            LaneProgress progress = lanes.of(lane);
            LaneProgress.ReadyRows leaving = progress.pollFirst();
            if (leaving == null) {
                leaving = progress.pollScanned();
            }
            if (leaving != null) {
                active.add(lane); // Behind the other lanes.
                sent = leaving.rows().length > 0;
                inParts = leaving.rows().length == maxRows ? lane : NO_LANE;
                leave(lane, progress, leaving);
            }
        }
        forwardWatermark();
        return !active.isEmpty();
    }

    private void leave(int lane, LaneProgress progress, LaneProgress.ReadyRows leaving)
            throws Exception {
        if (leaving.rows().length > 0) {
            send(lane, batches.get(leaving.batch()), leaving.rows());
        }
        batches.remove(leaving);
        if (leaving.first()) {
            nextToLeave.update(progress.next());
        }
    }

    /** Sends tokens of a batch to the combine, and their admitted choices to the experts. */
    private void send(int lane, RoutedBlock batch, int[] rows) throws Exception {
        long number = nextNumber.value();
        nextNumber.update(number + 1);
        TokenBlock tokens = batch.tokens().select(rows, spec.carriedSize());
        Choices choices = batch.choices().select(rows);
        output.collect(
                new StreamRecord<>(
                        new RoutedBlock(
                                number,
                                tokens,
                                choices,
                                select(batch.scales(), rows),
                                Vectors.NONE)));
        byte[] hidden =
                batch.hidden().isEmpty() ? batch.tokens().vectors() : batch.hidden().toBytes();
        for (ExpertRows ofExpert : rowsByExpert.split(lane, number, choices, hidden, rows)) {
            output.collect(ExpertRows.OUTPUT, new StreamRecord<>(ofExpert));
        }
        metrics.left(tokens.rows());
        owed = Math.max(owed, 0) - tokens.rows(); // At most one slice is ahead.
    }

    private float[] select(float[] scales, int[] rows) {
        int gates = spec.gates().size();
        float[] selected = new float[scales.length == 0 ? 0 : rows.length * gates];
        for (int i = 0; i < selected.length; i++) {
            selected[i] = scales[rows[i / gates] * gates + i % gates];
        }
        return selected;
    }

    @Override
    public void finish() throws Exception {
        super.finish();
        lanes.checkEmpty("decisions");
    }

    /**
     * Forwards the watermark, but only to just before the oldest waiting token that is not late.
     * The last watermark waits for all tokens: no later one would close what late tokens open.
     */
    private void forwardWatermark() throws Exception {
        long limit = lanes.limit(inputWatermark);
        boolean mustWait = limit == Long.MAX_VALUE && !active.isEmpty();
        if (limit > outputWatermark && !mustWait) {
            outputWatermark = limit;
            super.processWatermark(new Watermark(limit));
        }
    }
}
