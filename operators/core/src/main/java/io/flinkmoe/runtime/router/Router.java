// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionScore;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.RouterSettings;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.onnx.Routed;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.ResidualBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.layer.BlockRouter;
import io.flinkmoe.runtime.layer.Dispatcher;
import io.flinkmoe.runtime.shared.ChoiceCounter;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.FixedSettings;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.runtime.shared.SummaryOutput;
import io.flinkmoe.runtime.shared.WatermarkState;
import io.flinkmoe.runtime.shared.WindowCounters;
import io.flinkmoe.runtime.shared.WindowTimers;
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
import org.apache.flink.util.OutputTag;

/**
 * Scores every token of a block against the N experts and sends it to the k most probable: one
 * {@link DispatchBlock} per chosen expert, and one {@link ResidualBlock} to the combine. Keyed by
 * lane. When a window closes whose capacity depends on its tokens, the router reports to every
 * expert how many tokens the lane had.
 *
 * <p>A block is routed when it arrives, so no token waits here for a barrier or a watermark. State
 * per lane: the next batch number (numbers never repeat), the watermark, and the counts of the open
 * windows. The router drops the watermark status. So no operator of a layer is ever idle, and an
 * expert never closes a window before all routers have.
 */
@Internal
public final class Router extends AbstractStreamOperator<ExpertInput>
        implements OneInputStreamOperator<TokenBlock, ExpertInput>, WindowTimers {

    private static final long serialVersionUID = 1L;

    /** The side output to the combine, which bypasses the experts. */
    public static final OutputTag<ResidualBlock> RESIDUALS =
            new OutputTag<>("residuals", ResidualBlock.TYPE);

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
    private transient Dispatcher dispatcher;
    private transient ValueState<Long> nextBatch;
    private transient WatermarkState watermark;
    private transient LatenessFilter lateness;
    private transient ChoiceCounter counter;
    private transient LateTokens lateTokens;
    private transient WindowTokensOutput windowTokens;
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
        if (capacity.windows().areBounded()) {
            lateness = new LatenessFilter.ByWatermark(capacity.windows(), watermark);
            counter = new WindowCounters(this, capacity.windows());
        } else {
            lateness = LatenessFilter.NEVER_LATE;
            counter = ChoiceCounter.NONE;
        }
        router =
                new BlockRouter(
                        sessions,
                        layer,
                        maxRows,
                        settings,
                        new BlockRouter.Host(output, getMetricGroup(), counter));
        int k = router.k();
        int n = router.numExperts();
        FixedSettings.of(capacity)
                .with(MoeOptions.LANES.key(), laneKeys.count())
                .with("num_experts_per_tok of layer " + layer, k)
                .keep(getOperatorStateBackend());
        dispatcher = new Dispatcher(n, k, sessions.spec().hiddenSize(), capacity.attempts());
        nextBatch = getRuntimeContext().getState(NEXT_BATCH);
        lateTokens =
                settings.divertLate()
                        ? new LateTokens.Divert(output, router.outcomes(), router.inputWidth())
                        : LateTokens.KEEP;
        summaries = new SummaryOutput(output, layer, WindowSummary.Source.ROUTER, 0);
        windowTokens = new WindowTokensOutput(output, capacity.dependsOnTokens() ? n : 0, k);
    }

    @Override
    public void closeWindow(int key, long lastTimestamp) throws Exception {
        long windowStart = capacity.windows().startOf(lastTimestamp);
        int lane = laneKeys.indexOf(key);
        WindowCounts counts = counter.remove(windowStart);
        windowTokens.emit(lane, windowStart, counts);
        summaries.emit(windowStart, lane, counts, lastTimestamp);
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

    /** Sends the choices of some tokens to their experts, and the residual to the combine. */
    private void send(TokenBlock tokens, Routed routed, Choices choices, NoiseSource draws)
            throws Exception {
        int rows = tokens.rows();
        Long batch = nextBatch.value();
        long number = batch == null ? 0 : batch;
        nextBatch.update(number + 1);
        output.collect(
                RESIDUALS,
                new StreamRecord<>(
                        new ResidualBlock(
                                number,
                                tokens.withVectors(routed.residual()),
                                choices,
                                routed.scales(rows))));
        boolean keepsThem =
                choices.scores().length > 0 && capacity.score() == AdmissionScore.GATE_SCORE;
        float[] admissionScores =
                keepsThem
                        ? choices.scores()
                        : routed.admissionScores(capacity.score(), rows, draws);
        for (DispatchBlock block :
                dispatcher.split(number, tokens, routed.hidden(), choices, admissionScores)) {
            output.collect(new StreamRecord<>(block));
        }
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        watermark.advance(mark.getTimestamp());
        router.advance(mark.getTimestamp());
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
