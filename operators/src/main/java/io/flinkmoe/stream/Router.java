package io.flinkmoe.stream;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowAccount;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.LayerRouter;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.SeededNoise;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.util.FlinkException;
import org.apache.flink.util.OutputTag;

/**
 * Scores every token of a block against the N experts and sends it to the k most probable: one
 * {@link DispatchBlock} per chosen expert, and one {@link ResidualBlock} to the combine. Keyed by
 * lane. When a window closes whose capacity depends on its tokens, every expert is told how many
 * the lane had.
 *
 * <p>A block is routed when it comes, so nothing waits here for a barrier or a watermark. State per
 * lane: the next batch number (numbers never repeat), the watermark, and the accounts of the open
 * windows. Inside a layer nothing is ever idle, so that an expert never closes a window before all
 * routers have: the watermark status ends here.
 */
public final class Router extends AbstractStreamOperator<ExpertInput>
        implements OneInputStreamOperator<TokenBlock, ExpertInput> {

    private static final long serialVersionUID = 1L;

    /** The way of the residuals, past the experts. */
    public static final OutputTag<ResidualBlock> RESIDUALS =
            new OutputTag<>("residuals", StreamTypes.RESIDUAL_BLOCK);

    /** The router logits, given on request. */
    public static final OutputTag<RouterLogits> LOGITS =
            new OutputTag<>("router-logits", StreamTypes.ROUTER_LOGITS);

    private static final ValueStateDescriptor<Long> NEXT_BATCH =
            new ValueStateDescriptor<>("next-batch", LongSerializer.INSTANCE);

    private final LocalBundle bundle;
    private final int layer;
    private final int maxRows;
    private final EvenKeys laneKeys;
    private final Capacity capacity;
    private final boolean emitLogits;

    private transient BundleSessions sessions;
    private transient LayerRouter router;
    private transient int k;
    private transient Dispatcher dispatcher;
    private transient boolean hasRouted;
    private transient ValueState<Long> nextBatch;
    private transient RememberedWatermark watermark;
    private transient WindowAccounts accounts;

    /**
     * @param layer the MoE layer, counted from 0
     * @param maxRows the most tokens of a block
     * @param laneKeys the keys of the lanes
     * @param capacity what the experts have room for, or null: then nothing is ever late
     * @param emitLogits whether {@link #LOGITS} are given
     */
    public Router(
            LocalBundle bundle,
            int layer,
            int maxRows,
            EvenKeys laneKeys,
            Capacity capacity,
            boolean emitLogits) {
        this.bundle = bundle;
        this.layer = layer;
        this.maxRows = maxRows;
        this.laneKeys = laneKeys;
        this.capacity = capacity;
        this.emitLogits = emitLogits;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        FixedCount.keep(context, MoeOptions.LANES.key(), laneKeys.count());
    }

    @Override
    public void open() throws Exception {
        super.open();
        sessions = new BundleSessions(bundle.open());
        router = new LayerRouter(sessions, layer, maxRows);
        k = router.routing().numExpertsPerTok();
        dispatcher = new Dispatcher(router.routing().numExperts(), k, sessions.spec().hiddenSize());
        nextBatch = getRuntimeContext().getState(NEXT_BATCH);
        watermark = new RememberedWatermark(this, laneKeys);
        if (capacity != null) {
            accounts =
                    new WindowAccounts(
                            this,
                            output,
                            capacity.windows(),
                            laneKeys,
                            layer,
                            WindowSummary.Source.ROUTER,
                            this::tellTokens);
        }
    }

    @Override
    public void processElement(StreamRecord<TokenBlock> element) throws Exception {
        // A block from a checkpoint can be larger than the batch size that is configured now.
        for (TokenBlock tokens : element.getValue().slices(maxRows, router.inputWidth())) {
            routeReadable(tokens);
        }
    }

    /**
     * Routes a block. Where a model throws at it, as an encoder does at a category that it does not
     * know, the block is halved until the tokens stand alone that are to blame; they are rejected.
     */
    private void routeReadable(TokenBlock tokens) throws Exception {
        LayerRouter.Routed routed;
        try {
            routed = router.route(tokens.vectors(), tokens.rows(), noise(tokens));
        } catch (OrtException e) {
            if (tokens.rows() == 1) {
                reject(tokens, e);
            } else {
                int half = (tokens.rows() + 1) / 2;
                for (TokenBlock part : tokens.slices(half, router.inputWidth())) {
                    routeReadable(part);
                }
            }
            return;
        }
        hasRouted = true;
        route(tokens, routed);
    }

    /** Rejects a token, unless the model has never run and throws at a row of zeros too. */
    private void reject(TokenBlock alone, OrtException cause) throws FlinkException {
        if (!hasRouted) {
            try {
                router.route(new byte[alone.vectors().length], 1);
            } catch (OrtException e) {
                throw new FlinkException(
                        "layer %d (model version %s): encoder, norm, router or a shared expert fails on every input: %s"
                                .formatted(layer, sessions.spec().version(), e.getMessage()),
                        e);
            }
        }
        Token token =
                new Token(
                        alone.streams()[0],
                        alone.positions()[0],
                        alone.timestamps()[0],
                        Floats.toFloats(alone.vectors()));
        String reason =
                "the model cannot read position %d of stream %s: %s"
                        .formatted(token.position(), token.stream(), cause.getMessage());
        output.collect(DeadLetter.OUTPUT, new StreamRecord<>(DeadLetter.of(token, reason)));
    }

    /** Draws seeded by each token, so that a replay draws the same; null without noise. */
    private NoiseSource noise(TokenBlock tokens) {
        if (router.routing().noise() == null) {
            return null;
        }
        long[] seeds = new long[tokens.rows()];
        for (int row = 0; row < seeds.length; row++) {
            seeds[row] = SeededNoise.seed(tokens.streams()[row], tokens.positions()[row], layer);
        }
        return new SeededNoise(seeds);
    }

    private void route(TokenBlock tokens, LayerRouter.Routed routed) throws Exception {
        int rows = tokens.rows();
        Choices choices =
                new Choices(
                        k,
                        Arrays.copyOf(routed.experts(), rows * k),
                        Arrays.copyOf(routed.weights(), rows * k),
                        new byte[rows * k]);
        judge(tokens, routed, choices);

        Long batch = nextBatch.value();
        long number = batch == null ? 0 : batch;
        nextBatch.update(number + 1);
        output.collect(
                RESIDUALS,
                new StreamRecord<>(
                        new ResidualBlock(number, tokens.withVectors(routed.residual()), choices)));
        boolean prioritized = capacity != null && capacity.isPrioritized();
        float[] scores = prioritized ? routed.scores(rows) : null;
        for (DispatchBlock block :
                dispatcher.split(number, tokens, routed.hidden(), choices, scores)) {
            output.collect(new StreamRecord<>(block));
        }
        if (emitLogits) {
            emitLogits(tokens, routed.logits());
        }
    }

    /** Settles the choices that no expert is asked: of late tokens, unroutable ones, skipped. */
    private void judge(TokenBlock tokens, LayerRouter.Routed routed, Choices choices)
            throws Exception {
        long now = watermark.of(tokens.lane());
        for (int row = 0; row < tokens.rows(); row++) {
            boolean routable = routed.isRoutable(row);
            boolean late =
                    capacity != null && capacity.windows().isClosed(tokens.timestamps()[row], now);
            for (int choice = row * k; choice < row * k + k; choice++) {
                byte outcome = Choices.PENDING;
                if (!routable) {
                    choices.experts()[choice] = -1;
                    choices.weights()[choice] = 0;
                }
                if (late) {
                    outcome = Outcome.LATE.code();
                } else if (!routable) {
                    outcome = Outcome.FAILED.code();
                } else if (routed.isSkipped(choice)) {
                    outcome = Outcome.OVERFLOWED.code();
                }
                choices.outcomes()[choice] = outcome;
                if (capacity != null) {
                    count(tokens.timestamps()[row], outcome);
                }
            }
        }
        if (capacity != null) {
            accounts.save();
        }
    }

    private void count(long timestamp, byte outcome) throws Exception {
        if (outcome == Choices.PENDING) {
            accounts.countAsked(timestamp, 1);
        } else {
            accounts.count(timestamp, Outcome.ofCode(outcome), 1);
        }
    }

    /** Tells every expert how many tokens of a closed window were in a lane, if C depends on it. */
    private void tellTokens(int lane, long windowStart) throws Exception {
        if (capacity.formula().isFixed()) {
            return;
        }
        WindowAccount account = accounts.at(windowStart);
        int tokens = (int) ((account.asked() - account.late()) / k);
        for (int expert = 0; tokens > 0 && expert < router.routing().numExperts(); expert++) {
            output.collect(new StreamRecord<>(new WindowTokens(expert, lane, windowStart, tokens)));
        }
    }

    private void emitLogits(TokenBlock tokens, float[] logits) {
        int n = router.routing().numExperts();
        for (int row = 0; row < tokens.rows(); row++) {
            output.collect(
                    LOGITS,
                    new StreamRecord<>(
                            new RouterLogits(
                                    layer,
                                    tokens.streams()[row],
                                    tokens.positions()[row],
                                    Arrays.copyOfRange(logits, row * n, row * n + n))));
        }
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        watermark.advance(mark.getTimestamp());
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
