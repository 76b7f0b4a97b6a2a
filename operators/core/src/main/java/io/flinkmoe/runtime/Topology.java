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
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.ExpertInputSerializer;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.combine.Combine;
import io.flinkmoe.runtime.expert.Expert;
import io.flinkmoe.runtime.head.Head;
import io.flinkmoe.runtime.ingest.Ingest;
import io.flinkmoe.runtime.replicated.ReplicatedLayers;
import io.flinkmoe.runtime.router.Router;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.LocalBundle;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.KeyedStream;
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
            SingleOutputStreamOperator<ExpertInput> router = router(tokens, layer);
            tokens = combine(router, experts(router, layer), layer);
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
     * fewer subtasks than the job: then an exchange by lane spreads the work.
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
        SingleOutputStreamOperator<TokenBlock> layers;
        if (chained) {
            layers =
                    identified(ingest.transform(name, TokenBlock.TYPE, operator))
                            .setParallelism(ingest.getParallelism())
                            .setMaxParallelism(ANY_PARALLELISM);
        } else {
            EvenKeys keys = laneKeys;
            layers =
                    spread(
                            keys,
                            0,
                            aligned(ingest.keyBy(block -> keys.keyOf(block.lane()), Types.INT))
                                    .transform(name, TokenBlock.TYPE, operator));
        }
        SingleOutputStreamOperator<ScoredToken> head =
                head(layers, rows)
                        .setMaxParallelism(layers.getTransformation().getMaxParallelism());
        return new Streams(head, List.of(layers, ingest, head), List.of(layers), List.of(layers));
    }

    /**
     * @param lanes the number of lanes that streams are hashed to
     * @param rows the maximum number of tokens in a block
     */
    private SingleOutputStreamOperator<TokenBlock> ingest(
            DataStream<Arrival> arrivals, int lanes, int rows) {
        Ingest ingest =
                new Ingest(
                        spec.inputSize(),
                        new IngestSettings(
                                lanes,
                                rows,
                                settings.batchLinger(),
                                settings.windows(),
                                job.maxOutOfOrderness()));
        return identified(arrivals.transform(job.name() + "-ingest", TokenBlock.TYPE, ingest))
                .setParallelism(arrivals.getParallelism())
                .setMaxParallelism(ANY_PARALLELISM);
    }

    private SingleOutputStreamOperator<ExpertInput> router(
            DataStream<TokenBlock> tokens, int layer) {
        Router router = new Router(bundle, layer, blockRows, laneKeys, routerSettings());
        EvenKeys keys = laneKeys;
        return spread(
                keys,
                0,
                aligned(tokens.keyBy(block -> keys.keyOf(block.lane()), Types.INT))
                        .transform(
                                job.name() + "-router-" + layer,
                                ExpertInputSerializer.TYPE,
                                router));
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
                settings.expertBatching(),
                settings.capacity(),
                settings.onError(),
                settings.placement().device());
    }

    /** Adds the rounds of admission in sequence. Each sends its results to the combine. */
    private DataStream<ContributionBlock> experts(
            SingleOutputStreamOperator<ExpertInput> router, int layer) {
        DataStream<ExpertInput> input = router;
        DataStream<ContributionBlock> contributions = null;
        for (int round = 0; round < settings.attempts(); round++) {
            SingleOutputStreamOperator<ContributionBlock> expert = expert(input, layer, round);
            contributions = round == 0 ? expert : contributions.union(expert);
            input = expert.getSideOutput(Expert.NEXT_ROUND);
            counting.add(expert);
        }
        return contributions;
    }

    private SingleOutputStreamOperator<ContributionBlock> expert(
            DataStream<ExpertInput> inputs, int layer, int round) {
        EvenKeys keys = new EvenKeys(spec.layers().get(layer).routing().numExperts());
        Expert expert = new Expert(bundle, layer, round, keys, expertSettings());
        String firstRound = job.name() + "-expert-" + layer;
        SingleOutputStreamOperator<ContributionBlock> operator =
                spread(
                        keys,
                        settings.expertParallelism(),
                        aligned(inputs.keyBy(input -> keys.keyOf(input.expert()), Types.INT))
                                .transform(
                                        round == 0 ? firstRound : firstRound + "-round-" + round,
                                        ContributionBlock.TYPE,
                                        expert));
        if (settings.placement().slots() != null) {
            operator.slotSharingGroup(settings.placement().slots());
        }
        if (settings.capacity().overflowRounds() > 0) {
            // All rounds of an expert share its session, so they must run in one process.
            operator.getTransformation().setCoLocationGroupKey(firstRound);
        }
        return operator;
    }

    private SingleOutputStreamOperator<TokenBlock> combine(
            SingleOutputStreamOperator<ExpertInput> router,
            DataStream<ContributionBlock> contributions,
            int layer) {
        EvenKeys keys = laneKeys;
        Combine combine = new Combine(layer, spec.hiddenSize(), keys, settings.capacity());
        return spread(
                keys,
                0,
                aligned(
                                router.getSideOutput(Router.RESIDUALS)
                                        .keyBy(
                                                block -> keys.keyOf(block.tokens().lane()),
                                                Types.INT))
                        .connect(contributions.keyBy(block -> keys.keyOf(block.lane()), Types.INT))
                        .transform(job.name() + "-combine-" + layer, TokenBlock.TYPE, combine));
    }

    private SingleOutputStreamOperator<ScoredToken> head(
            SingleOutputStreamOperator<TokenBlock> tokens, int rows) {
        Head head = new Head(bundle, rows, settings.windows(), job.decisionLog());
        return identified(tokens.transform(job.name() + "-head", ScoredToken.TYPE, head))
                .setParallelism(tokens.getParallelism());
    }

    /**
     * Excludes an exchange from unaligned checkpoints. Otherwise a watermark that is in flight when
     * the checkpoint is taken could, after rescaling, reach a subtask that still has earlier rows
     * in flight, and windows would close before these rows arrive. Therefore no exchange whose
     * watermark closes windows may have in-flight data in a checkpoint. The exchange from the
     * experts to the combine may.
     */
    private static <T> KeyedStream<T, Integer> aligned(KeyedStream<T, Integer> stream) {
        ((PartitionTransformation<T>) stream.getTransformation())
                .getPartitioner()
                .disableUnalignedCheckpoints();
        return stream;
    }

    /**
     * Sets the parallelism of an operator: the requested one (0: the job's), but at most the number
     * of its lanes or experts.
     */
    private <T> SingleOutputStreamOperator<T> spread(
            EvenKeys keys, int parallelism, SingleOutputStreamOperator<T> operator) {
        int requested = parallelism > 0 ? parallelism : operator.getParallelism();
        return identified(operator)
                .setParallelism(Math.min(requested, keys.count()))
                .setMaxParallelism(keys.maxParallelism());
    }

    /**
     * Sets the uid of an operator to its name, and its buffer timeout unless the job sets one. With
     * Flink's default of 100 ms, a token would spend most of its latency in buffers.
     */
    private <T> SingleOutputStreamOperator<T> identified(SingleOutputStreamOperator<T> operator) {
        ReadableConfig options = operator.getExecutionEnvironment().getConfiguration();
        if (options.getOptional(ExecutionOptions.BUFFER_TIMEOUT).isEmpty()) {
            operator.setBufferTimeout(settings.latency().bufferTimeout().toMillis());
        }
        return operator.uid(operator.getName());
    }
}
