// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.config.Draws;
import io.flinkmoe.config.ExpertSettings;
import io.flinkmoe.config.IngestSettings;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.config.RouterSettings;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.runtime.BlockRows;
import io.flinkmoe.runtime.Topology;
import io.flinkmoe.runtime.admission.Admission;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.combine.Combine;
import io.flinkmoe.runtime.dispatch.Dispatch;
import io.flinkmoe.runtime.expert.Expert;
import io.flinkmoe.runtime.head.Head;
import io.flinkmoe.runtime.ingest.Ingest;
import io.flinkmoe.runtime.router.Router;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.LocalBundle;
import java.time.Duration;
import org.apache.flink.annotation.Experimental;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.metrics.groups.TaskMetricGroup;
import org.apache.flink.runtime.state.StateBackend;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;

/**
 * Creates Flink test harnesses of single operators of MoE layers, with the same keys and
 * serializers as in a job. The harnesses are open.
 *
 * <pre>{@code
 * OperatorHarnesses harnesses = OperatorHarnesses.of(TinyBundle.builder().writeTo(folder).options());
 * try (RouterHarness router = harnesses.router(0)) {
 *     router.send(block);
 *     assertThat(router.rows()).hasSize(2);
 * }
 * }</pre>
 *
 * <p>An object of this class describes one subtask. It can create any number of harnesses.
 */
@Experimental
public final class OperatorHarnesses {

    private final LocalBundle bundle;
    private final BundleSpec spec;
    private final MoeSettings settings;

    private Capacity capacity;
    private Draws draws = Draws.SEEDED;
    private boolean decisionLog;
    private boolean routerLogits;
    private boolean divertLateTokens;
    private Duration maxOutOfOrderness = Duration.ZERO;

    private final SubtaskUnderTest subtask = new SubtaskUnderTest();

    private OperatorHarnesses(LocalBundle bundle, BundleSpec spec, MoeSettings settings) {
        this.bundle = bundle;
        this.spec = spec;
        this.settings = settings;
        this.capacity = settings.capacity();
    }

    /**
     * Reads the bundle and the options, as a job does.
     *
     * @param options {@code moe.bundle} and any other {@link MoeOptions}
     * @throws BundleException if the bundle cannot be read or is invalid
     */
    public static OperatorHarnesses of(ReadableConfig options) throws BundleException {
        String location = options.get(MoeOptions.BUNDLE);
        try (LocalBundle.Lease lease = new LocalBundle(location, null).lease()) {
            BundleSpec spec = lease.bundle().spec();
            return new OperatorHarnesses(
                    new LocalBundle(location, spec.version()), spec, MoeSettings.of(options));
        }
    }

    /** Replaces the capacity of the options. */
    public OperatorHarnesses capacity(Capacity other) {
        this.capacity = other;
        return this;
    }

    /** Replaces the seeded draws of router noise and random admission. */
    public OperatorHarnesses draws(Draws others) {
        this.draws = others;
        return this;
    }

    /** Makes the router keep scores and the head emit decision records. */
    public OperatorHarnesses decisionLog() {
        this.decisionLog = true;
        return this;
    }

    /** Makes the router emit its logits. */
    public OperatorHarnesses routerLogits() {
        this.routerLogits = true;
        return this;
    }

    /** Makes the router send late tokens to a side output. */
    public OperatorHarnesses divertLateTokens() {
        this.divertLateTokens = true;
        return this;
    }

    /** Sets how far timestamps within a partition may be out of order. The default is 0. */
    public OperatorHarnesses maxOutOfOrderness(Duration allowed) {
        this.maxOutOfOrderness = allowed;
        return this;
    }

    /** Sets the state backend. The default is the heap. */
    public OperatorHarnesses stateBackend(StateBackend other) {
        subtask.backend = other;
        return this;
    }

    /** Sets the metric group of the task, so that a test can read the metrics. */
    public OperatorHarnesses metrics(TaskMetricGroup group) {
        subtask.metrics = group;
        return this;
    }

    /** Sets the index of the subtask and the parallelism. The default is subtask 0 of 1. */
    public OperatorHarnesses subtask(int number, int ofParallelism) {
        subtask.subtask = number;
        subtask.parallelism = ofParallelism;
        return this;
    }

    /**
     * Sets the state to start from. The state of several subtasks, or state for a parallelism above
     * 1, is distributed by key as Flink does after rescaling.
     *
     * @param snapshots the snapshots of all subtasks; empty to start without state
     */
    public OperatorHarnesses restore(OperatorSubtaskState... snapshots) {
        subtask.states = snapshots.clone();
        return this;
    }

    /** Opens the ingest operator. */
    public OneInputStreamOperatorTestHarness<Arrival, TokenBlock> ingest() throws Exception {
        Ingest ingest =
                new Ingest(
                        spec.inputLayout(),
                        new IngestSettings(
                                settings.lanes(),
                                blockRows(),
                                BlockRows.pending(spec, settings, settings.lanes(), blockRows()),
                                settings.batchLinger(),
                                capacity.windows(),
                                maxOutOfOrderness));
        var harness =
                new UnkeyedHarness<>(
                        ingest,
                        new Arrival.Serializer(),
                        subtask.environment(Topology.ANY_PARALLELISM));
        return subtask.open(harness, new TokenBlock.Serializer(), Topology.ANY_PARALLELISM);
    }

    /** Opens the router of a layer. */
    public RouterHarness router(int layer) throws Exception {
        EvenKeys lanes = lanes();
        Router router =
                new Router(
                        bundle,
                        layer,
                        blockRows(),
                        lanes,
                        new RouterSettings(
                                capacity, divertLateTokens, draws, decisionLog, routerLogits));
        return subtask.open(
                new RouterHarness(router, lanes, subtask.environment(lanes.maxParallelism())),
                new RoutedBlock.Serializer(),
                lanes.maxParallelism());
    }

    /** Opens the first round of admission to the experts of a layer. */
    public AdmissionHarness admission(int layer) throws Exception {
        return admission(layer, 0);
    }

    /**
     * Opens a round of admission to the experts of a layer. The capacity must have windows.
     *
     * @param round the round of admission, from 0; later rounds admit rerouted choices
     */
    public AdmissionHarness admission(int layer, int round) throws Exception {
        EvenKeys experts = new EvenKeys(numExperts(layer));
        int k = spec.layers().get(layer).choices();
        Admission admission = new Admission(layer, round, k, experts, capacity);
        return subtask.open(
                new AdmissionHarness(
                        admission, experts, subtask.environment(experts.maxParallelism())),
                new DecisionBlock.Serializer(),
                experts.maxParallelism());
    }

    /** Opens the dispatch of a layer. */
    public DispatchHarness dispatch(int layer) throws Exception {
        EvenKeys lanes = lanes();
        Dispatch dispatch = new Dispatch(bundle, layer, lanes);
        return subtask.open(
                new DispatchHarness(dispatch, lanes, subtask.environment(lanes.maxParallelism())),
                new RoutedBlock.Serializer(),
                lanes.maxParallelism());
    }

    /** Opens the experts of a layer. */
    public ExpertHarness expert(int layer) throws Exception {
        EvenKeys experts = new EvenKeys(numExperts(layer));
        Expert expert =
                new Expert(
                        bundle,
                        layer,
                        experts,
                        new ExpertSettings(
                                settings.expertBatching(),
                                settings.onError(),
                                settings.placement().device()));
        return subtask.open(
                new ExpertHarness(expert, experts, subtask.environment(experts.maxParallelism())),
                new ContributionBlock.Serializer(),
                experts.maxParallelism());
    }

    /** Opens the combine of a layer. */
    public CombineHarness combine(int layer) throws Exception {
        EvenKeys lanes = lanes();
        Combine combine = new Combine(bundle, layer, lanes, capacity);
        return subtask.open(
                new CombineHarness(combine, lanes, subtask.environment(lanes.maxParallelism())),
                new TokenBlock.Serializer(),
                lanes.maxParallelism());
    }

    private int numExperts(int layer) {
        return spec.layers().get(layer).numExperts();
    }

    /** Opens the head. */
    public OneInputStreamOperatorTestHarness<TokenBlock, ScoredToken> head() throws Exception {
        Head head = new Head(bundle, blockRows(), capacity.windows(), decisionLog);
        int maxParallelism = lanes().maxParallelism();
        var harness =
                new UnkeyedHarness<>(
                        head, new TokenBlock.Serializer(), subtask.environment(maxParallelism));
        return subtask.open(harness, new ScoredToken.Serializer(), maxParallelism);
    }

    private EvenKeys lanes() {
        return new EvenKeys(settings.lanes());
    }

    private int blockRows() {
        return BlockRows.ofExchange(spec, settings);
    }
}
