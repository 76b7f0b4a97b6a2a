package io.flinkmoe.runtime.expert;

import ai.onnxruntime.OrtException;
import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.config.ExpertBatching;
import io.flinkmoe.config.ExpertDevice;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.ExpertInputSerializer;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.FixedSettings;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.runtime.shared.MoeMetrics;
import io.flinkmoe.runtime.shared.WatermarkState;
import io.flinkmoe.runtime.shared.WindowCounters;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.execution.CancelTaskException;
import org.apache.flink.runtime.io.network.partition.consumer.IndexedInputGate;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.FlinkException;
import org.apache.flink.util.OutputTag;

/**
 * Runs the experts of a layer whose key groups the subtask owns. Keyed by expert. Where overflow
 * goes to the next most probable expert, each round of it is one more of these operators.
 *
 * <p>With a capacity, {@link AdmissionControl} decides which rows run. Those of several blocks are
 * joined until they fill a call, the oldest has waited for the linger, a barrier or the close of a
 * window comes, or the input ends.
 *
 * <p>State per expert: the accounts of its open windows, which hold the capacity used, what waits
 * for their close, and the watermark.
 */
@Internal
public final class Expert extends AbstractStreamOperator<ContributionBlock>
        implements OneInputStreamOperator<ExpertInput, ContributionBlock> {

    private static final long serialVersionUID = 1L;

    /** The way to the next round of admission. */
    public static final OutputTag<ExpertInput> RETRIES =
            new OutputTag<>("retries", ExpertInputSerializer.TYPE);

    private final LocalBundle bundle;
    private final int layer;
    private final int round;
    private final EvenKeys expertKeys;
    private final ExpertBatching batching;
    private final Capacity capacity;
    private final MoeOptions.OnError onError;
    private final ExpertDevice device;

    private transient BundleSessions sessions;
    private transient CallScheduler calls;
    private transient WatermarkState watermark;
    private transient WindowQueue queue;
    private transient AdmissionControl admission;
    private transient ExpertOutput expertOutput;
    private transient ExpertMetrics[] metrics;

    /**
     * @param layer the MoE layer, counted from 0
     * @param round the round of admission, 0 to {@link Capacity#overflowRounds()}
     * @param expertKeys the keys of the N experts
     * @param batching how rows are joined to calls
     * @param capacity C per expert and window, or null: dropless
     * @param onError what a run that throws does
     * @param device what the experts run on
     */
    public Expert(
            LocalBundle bundle,
            int layer,
            int round,
            EvenKeys expertKeys,
            ExpertBatching batching,
            Capacity capacity,
            MoeOptions.OnError onError,
            ExpertDevice device) {
        this.bundle = bundle;
        this.layer = layer;
        this.round = round;
        this.expertKeys = expertKeys;
        this.batching = batching;
        this.capacity = capacity;
        this.onError = onError;
        this.device = device;
    }

    @Override
    public void open() throws Exception {
        super.open();
        watermark = new WatermarkState(this, expertKeys);
        sessions =
                new BundleSessions(
                        bundle.open(getRuntimeContext()), device.of(getRuntimeContext()));
        BundleSpec spec = sessions.spec();
        int k = spec.layers().get(layer).routing().numExpertsPerTok();
        FixedSettings.of(capacity)
                .with("num_experts of layer " + layer, expertKeys.count())
                .with("num_experts_per_tok of layer " + layer, k)
                .with("hidden_size", spec.hiddenSize())
                .keep(getOperatorStateBackend());
        expertOutput = new ExpertOutput(output, capacity);
        calls =
                new CallScheduler(
                        openExperts(),
                        getProcessingTimeService(),
                        batching.linger().toMillis(),
                        this::inputWaits);
        if (capacity != null) {
            openAdmission(k);
        }
    }

    private void openAdmission(int k) {
        WindowCounters accounts =
                new WindowCounters(
                        this,
                        output,
                        capacity.windows(),
                        expertKeys,
                        layer,
                        WindowSummary.Source.EXPERT,
                        round,
                        (expert, windowStart) -> admission.close(expert, windowStart));
        if (capacity.isPrioritized() || round > 0) {
            queue = new WindowQueue(this, capacity, accounts, expertKeys.count(), k);
        }
        admission =
                new AdmissionControl(
                        capacity, round, watermark, accounts, queue, calls, expertOutput, metrics);
    }

    /** The experts of the key groups here; null for others. */
    private ExpertCalls[] openExperts() throws BundleException {
        int d = sessions.spec().hiddenSize();
        ExpertCalls.Buffers buffers = new ExpertCalls.Buffers(batching, d);
        MoeMetrics.registerModel(getMetricGroup(), sessions.spec().version());
        metrics = new ExpertMetrics[expertKeys.count()];
        ExpertCalls[] experts = new ExpertCalls[expertKeys.count()];
        for (int expert = 0; expert < experts.length; expert++) {
            if (Thread.currentThread().isInterrupted()) {
                throw new CancelTaskException("cancelled while experts were opened");
            }
            if (watermark.isOwned(expert)) {
                metrics[expert] = new ExpertMetrics(getMetricGroup(), expert, round);
                experts[expert] =
                        new ExpertCalls(
                                sessions.expert(layer, expert),
                                buffers,
                                this::answer,
                                this::onFailure,
                                metrics[expert]);
                metrics[expert].waiting(experts[expert]::waiting);
            }
        }
        return experts;
    }

    /** Whether the network has brought more than has been processed. */
    private boolean inputWaits() {
        for (IndexedInputGate gate : getContainingTask().getEnvironment().getAllInputGates()) {
            if (gate.isApproximatelyAvailable()) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void processElement(StreamRecord<ExpertInput> element) throws Exception {
        ExpertInput input = element.getValue();
        if (input instanceof WindowTokens count) {
            queue.addTokens(count);
        } else if (input instanceof RemainingCapacity left) {
            queue.setRoom(left);
        } else {
            process((DispatchBlock) input);
        }
    }

    private void process(DispatchBlock block) throws Exception {
        metrics[block.expert()].tokensIn.inc(block.rows());
        if (admission == null) {
            int[] rows = new int[block.rows()];
            Arrays.setAll(rows, row -> row);
            calls.add(block, rows);
        } else {
            admission.judge(block);
        }
    }

    private void onFailure(OnnxModel model, int rows, OrtException cause) throws FlinkException {
        String message =
                "layer %d: %s (model version %s) failed on %d rows: %s"
                        .formatted(
                                layer,
                                model.file(),
                                sessions.spec().version(),
                                rows,
                                cause.getMessage());
        if (onError == MoeOptions.OnError.FAIL) {
            throw new FlinkException(
                    "%s. With %s: residual such rows would keep their residual, marked FAILED."
                            .formatted(message, MoeOptions.EXPERT_ON_ERROR.key()),
                    cause);
        }
        LOG.warn("{}. Those to blame keep their residual.", message);
    }

    private void answer(DispatchBlock block, int[] rows, byte[] outcomes, Vectors vectors)
            throws Exception {
        expertOutput.answer(block, rows, outcomes, vectors);
        if (admission != null) {
            setCurrentKey(expertKeys.keyOf(block.expert()));
            admission.countFailed(block, rows, outcomes);
        }
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        if (capacity != null
                && capacity.windows().endsBetween(watermark.current(), mark.getTimestamp())) {
            calls.runAll();
        }
        watermark.advance(mark.getTimestamp());
        super.processWatermark(mark);
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
        calls.runAll();
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        watermark.snapshot();
        super.snapshotState(context);
    }

    @Override
    public void finish() throws Exception {
        calls.runAll();
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
