// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.RouterSettings;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.layer.BlockRouter;
import io.flinkmoe.runtime.layer.RowsByExpert;
import io.flinkmoe.runtime.shared.ChoiceCounter;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.FixedSettings;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.runtime.shared.OpenWindows;
import io.flinkmoe.runtime.shared.RescaledLog;
import io.flinkmoe.runtime.shared.SummaryOutput;
import io.flinkmoe.runtime.shared.TaskOutputs;
import io.flinkmoe.runtime.shared.WatermarkState;
import io.flinkmoe.runtime.shared.WindowCounters;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * Scores every token of a block against the N experts and chooses the k most probable. Keyed by
 * lane. Without a capacity, it sends one {@link ExpertRows} to each chosen expert, and the
 * residuals to the combine. With one, it sends one {@code CandidateBlock} to the admission of each
 * chosen expert, and the vectors to the dispatch.
 *
 * <p>A block is routed when it arrives, so no token waits here for a barrier or a watermark. State
 * per lane: the next batch number (numbers never repeat), the watermark, and the counts of the open
 * windows. The router drops the watermark status. So no operator of a layer is ever idle, and an
 * admission never closes a window before all routers have.
 */
@Internal
public final class Router extends AbstractStreamOperator<RoutedBlock>
        implements OneInputStreamOperator<TokenBlock, RoutedBlock> {

    private static final long serialVersionUID = 1L;

    private static final ValueStateDescriptor<Long> NEXT_BATCH =
            new ValueStateDescriptor<>("next-batch", LongSerializer.INSTANCE);

    private final LocalBundle bundle;
    private final int layer;
    private final int maxRows;
    private final EvenKeys laneKeys;
    private final RouterSettings settings;
    private final Capacity capacity;

    private transient BundleSessions sessions;
    private transient BlockRouter router;
    private transient RoutedOutput routedOutput;
    private transient ValueState<Long> nextBatch;
    private transient WatermarkState watermark;
    private transient LatenessFilter lateness;
    private transient ChoiceCounter counter;
    private transient LateTokens lateTokens;
    private transient SummaryOutput summaries;

    /**
     * @param layer the MoE layer, counted from 0
     * @param maxRows the maximum number of tokens in a block
     * @param laneKeys the keys of the lanes
     */
    public Router(
            LocalBundle bundle,
            int layer,
            int maxRows,
            EvenKeys laneKeys,
            RouterSettings settings) {
        this.bundle = bundle;
        this.layer = layer;
        this.maxRows = maxRows;
        this.laneKeys = laneKeys;
        this.settings = settings;
        this.capacity = settings.capacity();
    }

    @Override
    public void open() throws Exception {
        super.open();
        sessions = bundle.sessions(getRuntimeContext(), Device.CPU);
        watermark = new WatermarkState(this, laneKeys);
        lateness =
                capacity.windows().areBounded()
                        ? new LatenessFilter.ByWatermark(capacity.windows(), watermark)
                        : LatenessFilter.NEVER_LATE;
        counter = WindowCounters.of(this, laneKeys, capacity.windows());
        router =
                new BlockRouter(
                        sessions,
                        layer,
                        maxRows,
                        settings,
                        new BlockRouter.Host(output, getMetricGroup(), counter));
        router.registerShares();
        LayerSpec spec = router.spec();
        FixedSettings.of(capacity)
                .with(MoeOptions.LANES.key(), laneKeys.count())
                .with("num_experts_per_tok of layer " + layer, spec.choices())
                .keep(getOperatorStateBackend());
        routedOutput =
                capacity.windows().areBounded()
                        ? new ToAdmission(
                                output,
                                capacity,
                                spec,
                                new TaskOutputs(getContainingTask().getEnvironment()))
                        : new ToExperts(output, new RowsByExpert(spec));
        nextBatch = getRuntimeContext().getState(NEXT_BATCH);
        lateTokens =
                settings.divertLate()
                        ? new LateTokens.Divert(output, router.outcomes(), router.inputs())
                        : LateTokens.KEEP;
        summaries = new SummaryOutput(output, layer, WindowSummary.Source.ROUTER, 0);
        RescaledLog.startAnew(this);
    }

    @Override
    public void processElement(StreamRecord<TokenBlock> element) throws Exception {
        // A block from a checkpoint can be larger than the batch size that is configured now.
        for (TokenBlock tokens : element.getValue().slices(maxRows, router.inputWidth())) {
            router.metrics().tokensIn.inc(tokens.rows());
            TokenBlock marked = lateness.markLate(tokens);
            router.metrics().tokensLate.inc(marked.numLate());
            TokenBlock scored = lateTokens.filter(marked);
            if (scored.rows() > 0) {
                router.route(scored, this::send);
            }
        }
    }

    /** Sends some tokens and their choices under a batch number of their own. */
    private void send(TokenBlock tokens, Routed routed, Choices choices, NoiseSource draws)
            throws Exception {
        Long batch = nextBatch.value();
        long number = batch == null ? 0 : batch;
        nextBatch.update(number + 1);
        routedOutput.send(number, tokens, routed, choices, draws);
    }

    /** Closes the windows that a watermark ends. */
    private void closeWindows() throws Exception {
        OpenWindows.Window window;
        while ((window = counter.windows().firstClosed(watermark::of)) != null) {
            int lane = window.index();
            setCurrentKey(laneKeys.keyOf(lane));
            WindowCounts counts = counter.remove(window.start());
            routedOutput.close(lane, window.start(), counts);
            summaries.emit(
                    window.start(),
                    WindowSummary.NONE,
                    lane,
                    counts,
                    capacity.windows().lastOf(window.start()));
        }
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        watermark.advance(mark.getTimestamp());
        router.advance(mark.getTimestamp());
        closeWindows();
        super.processWatermark(mark);
    }

    @Override
    public void processWatermarkStatus(WatermarkStatus status) {}

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        watermark.snapshot();
        super.snapshotState(context);
    }

    @Override
    public void close() throws Exception {
        if (sessions != null) {
            sessions.close();
        }
        super.close();
    }
}
