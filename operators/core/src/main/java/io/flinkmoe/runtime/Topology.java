// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.config.ExpertSettings;
import io.flinkmoe.config.IngestSettings;
import io.flinkmoe.config.JobSettings;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.config.RouterSettings;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.runtime.admission.Admission;
import io.flinkmoe.runtime.block.AdmissionInput;
import io.flinkmoe.runtime.block.AdmissionInputSerializer;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.combine.Combine;
import io.flinkmoe.runtime.dispatch.Dispatch;
import io.flinkmoe.runtime.expert.Expert;
import io.flinkmoe.runtime.head.Head;
import io.flinkmoe.runtime.ingest.Ingest;
import io.flinkmoe.runtime.replicated.ReplicatedLayers;
import io.flinkmoe.runtime.router.Router;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.runtime.slices.SlicingOperatorFactory;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.transformations.PartitionTransformation;

/** Adds the operators of all layers to a job, with their keys, parallelism and uids. */
@Internal
public final class Topology {

    /**
     * The maximum parallelism of operators without keys: Flink's upper bound. Their state does not
     * depend on it, so the job's default must not limit rescaling.
     */
    public static final int ANY_PARALLELISM = KeyGroupRangeAssignment.UPPER_BOUND_MAX_PARALLELISM;

    private final LocalBundle bundle;
    private final BundleSpec spec;
    private final MoeSettings settings;
    private final JobSettings job;
    private final Operators operators;
    private final EvenKeys laneKeys;
    private final int blockRows;
    private final List<SingleOutputStreamOperator<?>> routers = new ArrayList<>();
    private final List<SingleOutputStreamOperator<?>> counting = new ArrayList<>();

    /**
     * The output streams of the layers.
     *
     * @param scored the head, whose main output is the scored tokens
     * @param rejecting operators with dead letters in a side output
     * @param routers the router of each layer
     * @param counting operators with window summaries in a side output
     */
    public record Streams(
            SingleOutputStreamOperator<ScoredToken> scored,
            List<SingleOutputStreamOperator<?>> rejecting,
            List<SingleOutputStreamOperator<?>> routers,
            List<SingleOutputStreamOperator<?>> counting) {}

    /**
     * @param spec the content of the bundle
     */
    public Topology(LocalBundle bundle, BundleSpec spec, MoeSettings settings, JobSettings job) {
        this.bundle = bundle;
        this.spec = spec;
        this.settings = settings;
        this.job = job;
        this.operators = new Operators(settings.latency());
        this.laneKeys = new EvenKeys(settings.lanes());
        this.blockRows = BlockRows.ofExchange(spec, settings);
    }

    /** Adds the operators to a job. */
    public Streams of(DataStream<Arrival> arrivals) {
        return settings.isReplicated() ? replicated(arrivals) : partitioned(arrivals);
    }

    private Streams partitioned(DataStream<Arrival> arrivals) {
        SingleOutputStreamOperator<TokenBlock> ingest =
                ingest(arrivals, settings.lanes(), blockRows);
        SingleOutputStreamOperator<TokenBlock> tokens = ingest;
        for (int layer = 0; layer < spec.layers().size(); layer++) {
            SingleOutputStreamOperator<RoutedBlock> router = router(tokens, layer);
            tokens =
                    settings.capacity().windows().areBounded()
                            ? admitted(router, layer)
                            : executed(router, router.getSideOutput(ExpertRows.OUTPUT), layer);
            routers.add(router);
            counting.add(router);
            counting.add(tokens);
        }
        SingleOutputStreamOperator<ScoredToken> head =
                head(tokens, blockRows).setMaxParallelism(laneKeys.maxParallelism());
        List<SingleOutputStreamOperator<?>> rejecting = new ArrayList<>(routers);
        rejecting.add(ingest);
        rejecting.add(head);
        return new Streams(head, rejecting, routers, counting);
    }

    /**
     * Adds all layers as one operator. It is chained to ingest and head, unless the source has
     * fewer subtasks than the job: then an exchange by lane spreads the work. It has no keys in
     * either case: a savepoint at one parallelism must fit the job at any other.
     */
    private Streams replicated(DataStream<Arrival> arrivals) {
        int parallelism = arrivals.getExecutionEnvironment().getParallelism();
        boolean chained = arrivals.getParallelism() >= parallelism;
        int rows = chained ? BlockRows.replicated(spec, settings) : blockRows;
        SingleOutputStreamOperator<TokenBlock> ingest =
                ingest(arrivals, chained ? 1 : settings.lanes(), rows);
        ReplicatedLayers operator =
                new ReplicatedLayers(bundle, rows, routerSettings(), expertSettings());
        String name = job.name() + "-layers";
        DataStream<TokenBlock> tokens = chained ? ingest : Operators.aligned(byLane(ingest));
        SingleOutputStreamOperator<TokenBlock> layers =
                operators
                        .identified(tokens.transform(name, TokenBlock.TYPE, operator))
                        .setParallelism(
                                chained
                                        ? ingest.getParallelism()
                                        : Math.min(parallelism, laneKeys.count()))
                        .setMaxParallelism(ANY_PARALLELISM);
        Operators.chained(layers);
        if (chained) {
            Operators.chained(ingest);
        }
        SingleOutputStreamOperator<ScoredToken> head =
                head(layers, rows).setMaxParallelism(ANY_PARALLELISM);
        return new Streams(head, List.of(layers, ingest, head), List.of(layers), List.of(layers));
    }

    private static DataStream<TokenBlock> byLane(DataStream<TokenBlock> tokens) {
        return new DataStream<>(
                tokens.getExecutionEnvironment(),
                new PartitionTransformation<>(tokens.getTransformation(), new LanePartitioner()));
    }

    /**
     * @param lanes the number of lanes that streams are hashed to
     * @param rows the maximum number of tokens in a block
     */
    private SingleOutputStreamOperator<TokenBlock> ingest(
            DataStream<Arrival> arrivals, int lanes, int rows) {
        Ingest ingest =
                new Ingest(
                        spec.inputLayout(),
                        new IngestSettings(
                                lanes,
                                rows,
                                BlockRows.pending(spec, settings, lanes, rows),
                                settings.batchLinger(),
                                settings.windows(),
                                job.maxOutOfOrderness()));
        return operators
                .identified(arrivals.transform(job.name() + "-ingest", TokenBlock.TYPE, ingest))
                .setParallelism(arrivals.getParallelism())
                .setMaxParallelism(ANY_PARALLELISM);
    }

    private SingleOutputStreamOperator<RoutedBlock> router(
            DataStream<TokenBlock> tokens, int layer) {
        Router router = new Router(bundle, layer, blockRows, laneKeys, routerSettings());
        EvenKeys keys = laneKeys;
        return operators.spread(
                keys,
                0,
                Operators.aligned(tokens.keyBy(block -> keys.keyOf(block.lane()), Types.INT))
                        .transform(job.name() + "-router-" + layer, RoutedBlock.TYPE, router));
    }

    private RouterSettings routerSettings() {
        return new RouterSettings(
                settings.capacity(),
                job.divertLateTokens(),
                job.draws(),
                job.decisionLog(),
                job.routerLogits());
    }

    private ExpertSettings expertSettings() {
        return new ExpertSettings(
                settings.expertBatching(), settings.onError(), settings.placement().device());
    }

    /** Adds admission, in as many rounds as there are, dispatch, experts and combine. */
    private SingleOutputStreamOperator<TokenBlock> admitted(
            SingleOutputStreamOperator<RoutedBlock> router, int layer) {
        DataStream<AdmissionInput> candidates =
                router.getSideOutput(AdmissionInputSerializer.OUTPUT);
        DataStream<DecisionBlock> decisions = null;
        for (int round = 0; round < settings.attempts(); round++) {
            SingleOutputStreamOperator<DecisionBlock> admission =
                    admission(candidates, layer, round);
            decisions = round == 0 ? admission : decisions.union(admission);
            candidates = admission.getSideOutput(AdmissionInputSerializer.OUTPUT);
            counting.add(admission);
        }
        EvenKeys keys = laneKeys;
        Dispatch dispatch = new Dispatch(bundle, layer, keys);
        SingleOutputStreamOperator<RoutedBlock> dispatched =
                operators.spread(
                        keys,
                        0,
                        Operators.aligned(
                                        router.keyBy(
                                                block -> keys.keyOf(block.tokens().lane()),
                                                Types.INT))
                                .connect(
                                        Operators.aligned(
                                                decisions.keyBy(
                                                        block -> keys.keyOf(block.lane()),
                                                        Types.INT)))
                                .transform(
                                        job.name() + "-dispatch-" + layer,
                                        RoutedBlock.TYPE,
                                        new SlicingOperatorFactory<>(dispatch)));
        return executed(dispatched, dispatched.getSideOutput(ExpertRows.OUTPUT), layer);
    }

    private SingleOutputStreamOperator<DecisionBlock> admission(
            DataStream<AdmissionInput> candidates, int layer, int round) {
        EvenKeys keys = new EvenKeys(numExperts(layer));
        int k = spec.layers().get(layer).choices();
        Admission admission = new Admission(layer, round, k, keys, settings.capacity());
        String firstRound = job.name() + "-admission-" + layer;
        return inExpertSlots(
                operators.spread(
                        keys,
                        settings.expertParallelism(),
                        Operators.aligned(
                                        candidates.keyBy(
                                                input -> keys.keyOf(input.expert()), Types.INT))
                                .transform(
                                        round == 0 ? firstRound : firstRound + "-round-" + round,
                                        DecisionBlock.TYPE,
                                        new SlicingOperatorFactory<>(admission))));
    }

    /** Adds the experts and the combine. */
    private SingleOutputStreamOperator<TokenBlock> executed(
            DataStream<RoutedBlock> residuals, DataStream<ExpertRows> rows, int layer) {
        return combine(residuals, expert(rows, layer), layer);
    }

    private SingleOutputStreamOperator<ContributionBlock> expert(
            DataStream<ExpertRows> rows, int layer) {
        EvenKeys keys = new EvenKeys(numExperts(layer));
        Expert expert = new Expert(bundle, layer, keys, expertSettings());
        return inExpertSlots(
                operators.spread(
                        keys,
                        settings.expertParallelism(),
                        Operators.aligned(
                                        rows.keyBy(block -> keys.keyOf(block.expert()), Types.INT))
                                .transform(
                                        job.name() + "-expert-" + layer,
                                        ContributionBlock.TYPE,
                                        expert)));
    }

    private int numExperts(int layer) {
        return spec.layers().get(layer).numExperts();
    }

    private <T> SingleOutputStreamOperator<T> inExpertSlots(
            SingleOutputStreamOperator<T> operator) {
        if (settings.placement().slots() != null) {
            operator.slotSharingGroup(settings.placement().slots());
        }
        return operator;
    }

    private SingleOutputStreamOperator<TokenBlock> combine(
            DataStream<RoutedBlock> residuals,
            DataStream<ContributionBlock> contributions,
            int layer) {
        EvenKeys keys = laneKeys;
        Combine combine = new Combine(bundle, layer, keys, settings.capacity());
        return operators.spread(
                keys,
                0,
                Operators.aligned(
                                residuals.keyBy(
                                        block -> keys.keyOf(block.tokens().lane()), Types.INT))
                        .connect(
                                Operators.aligned(
                                        contributions.keyBy(
                                                block -> keys.keyOf(block.lane()), Types.INT)))
                        .transform(job.name() + "-combine-" + layer, TokenBlock.TYPE, combine));
    }

    private SingleOutputStreamOperator<ScoredToken> head(
            SingleOutputStreamOperator<TokenBlock> tokens, int rows) {
        Head head = new Head(bundle, rows, settings.windows(), job.decisionLog());
        return operators
                .identified(tokens.transform(job.name() + "-head", ScoredToken.TYPE, head))
                .setParallelism(tokens.getParallelism());
    }
}
