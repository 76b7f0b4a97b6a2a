package io.flinkmoe;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.stream.Arrival;
import io.flinkmoe.stream.Combine;
import io.flinkmoe.stream.ContributionBlock;
import io.flinkmoe.stream.DeadLetter;
import io.flinkmoe.stream.EvenKeys;
import io.flinkmoe.stream.Expert;
import io.flinkmoe.stream.ExpertInput;
import io.flinkmoe.stream.Footprint;
import io.flinkmoe.stream.Head;
import io.flinkmoe.stream.Ingest;
import io.flinkmoe.stream.LocalBundle;
import io.flinkmoe.stream.MoeOptions;
import io.flinkmoe.stream.MoeSettings;
import io.flinkmoe.stream.Router;
import io.flinkmoe.stream.ScoredToken;
import io.flinkmoe.stream.StreamTypes;
import io.flinkmoe.stream.Token;
import io.flinkmoe.stream.TokenBlock;
import io.flinkmoe.stream.TokenCheck;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.CheckpointConfig;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * The MoE layers of a bundle as a piece of a streaming job: tokens in, scored tokens out.
 *
 * <pre>{@code
 * MoeResult result = MoeLayers.of(options).score(tokens);
 * result.scored().sinkTo(...);
 * result.deadLetters().sinkTo(...);
 * }</pre>
 *
 * <p>Per layer: a {@link Router} keyed by lane, an {@link Expert} keyed by expert, a {@link
 * Combine} keyed by lane. Every operator has a uid and a maximum parallelism of its own, so that
 * state survives changes of the job around and of the parallelism.
 */
public final class MoeLayers {

    /** A block stays below this, so that Flink never spills it on the receiving side. */
    private static final int MAX_BLOCK_BYTES = 1 << 20;

    private final LocalBundle bundle;
    private final BundleSpec spec;
    private final MoeSettings settings;
    private final String name;
    private final boolean routerLogits;

    private MoeLayers(
            LocalBundle bundle,
            BundleSpec spec,
            MoeSettings settings,
            String name,
            boolean routerLogits) {
        this.bundle = bundle;
        this.spec = spec;
        this.settings = settings;
        this.name = name;
        this.routerLogits = routerLogits;
    }

    /**
     * Reads the bundle and all {@link MoeOptions}.
     *
     * @throws BundleException if the bundle cannot be read or has a defect
     * @throws IllegalConfigurationException naming the key, the value and what is allowed
     */
    public static MoeLayers of(ReadableConfig options) throws BundleException {
        String location =
                options.getOptional(MoeOptions.BUNDLE)
                        .orElseThrow(
                                () ->
                                        new IllegalConfigurationException(
                                                "%s is not set; give the directory of a model bundle"
                                                        .formatted(MoeOptions.BUNDLE.key())));
        Bundle bundle = new LocalBundle(location, null).open();
        MoeSettings settings = MoeSettings.of(options);
        if (settings.capacity() != null && settings.capacity().renormalize()) {
            refuseFactorsAfterNormalisation(bundle.spec());
        }
        return new MoeLayers(
                new LocalBundle(location, bundle.spec().version()),
                bundle.spec(),
                settings,
                "moe",
                false);
    }

    /** The same layers under a name that their uids start with: one each for two in one job. */
    public MoeLayers named(String uidPrefix) {
        return new MoeLayers(bundle, spec, settings, uidPrefix, routerLogits);
    }

    /** The same layers, which also give {@link MoeResult#routerLogits()}. */
    public MoeLayers withRouterLogits() {
        return new MoeLayers(bundle, spec, settings, name, true);
    }

    /** The width of {@link Token#values()}. */
    public int inputWidth() {
        return spec.inputSize();
    }

    /** The version of the bundle, which every scored token bears. */
    public String modelVersion() {
        return spec.version();
    }

    /**
     * What the layers will take up.
     *
     * @throws IOException if the bundle is gone
     */
    public Footprint footprint() throws IOException {
        return Footprint.of(bundle.open(), settings, blockRows());
    }

    /** Scores tokens; bad ones (no stream, wrong width, NaN …) become dead letters. */
    public MoeResult score(DataStream<Token> tokens) {
        int width = spec.inputSize();
        return scoreArrivals(
                tokens.map(token -> check(token, width), StreamTypes.ARRIVAL)
                        .name(name + "-check")
                        .uid(name + "-check")
                        .setParallelism(tokens.getParallelism()));
    }

    private static Arrival check(Token token, int width) {
        String reason = TokenCheck.reasonToReject(token, width);
        return reason == null ? Arrival.of(token) : Arrival.of(DeadLetter.of(token, reason));
    }

    /** Scores what a source has checked already; dead letters pass through. */
    public MoeResult scoreArrivals(DataStream<Arrival> arrivals) {
        refuseBatchMode(arrivals.getExecutionEnvironment());
        refuseAtLeastOnce(arrivals.getExecutionEnvironment());
        SingleOutputStreamOperator<TokenBlock> ingest = ingest(arrivals);
        List<SingleOutputStreamOperator<?>> counting = new ArrayList<>();
        List<SingleOutputStreamOperator<?>> routers = new ArrayList<>();
        SingleOutputStreamOperator<TokenBlock> tokens = ingest;
        for (int layer = 0; layer < spec.layers().size(); layer++) {
            SingleOutputStreamOperator<ExpertInput> router = router(tokens, layer);
            SingleOutputStreamOperator<ContributionBlock> expert = expert(router, layer);
            tokens = combine(router, expert, layer);
            counting.addAll(List.of(router, expert, tokens));
            routers.add(router);
        }
        return new MoeResult(head(tokens), ingest, routers, counting, routerLogits);
    }

    private SingleOutputStreamOperator<TokenBlock> ingest(DataStream<Arrival> arrivals) {
        Ingest ingest =
                new Ingest(
                        spec.inputSize(),
                        settings.lanes(),
                        blockRows(),
                        settings.batchLinger(),
                        settings.windows());
        return identified(arrivals.transform(name + "-ingest", StreamTypes.TOKEN_BLOCK, ingest))
                .setParallelism(arrivals.getParallelism());
    }

    private SingleOutputStreamOperator<ExpertInput> router(
            DataStream<TokenBlock> tokens, int layer) {
        EvenKeys keys = laneKeys();
        Router router =
                new Router(bundle, layer, blockRows(), keys, settings.capacity(), routerLogits);
        return spread(
                keys,
                0,
                tokens.keyBy(block -> keys.keyOf(block.lane()), Types.INT)
                        .transform(name + "-router-" + layer, StreamTypes.EXPERT_INPUT, router));
    }

    private SingleOutputStreamOperator<ContributionBlock> expert(
            DataStream<ExpertInput> dispatched, int layer) {
        EvenKeys keys = new EvenKeys(spec.layers().get(layer).routing().numExperts());
        Expert expert =
                new Expert(
                        bundle,
                        layer,
                        keys,
                        settings.expertBatchSize(),
                        settings.expertBatchLinger(),
                        settings.capacity(),
                        settings.onError());
        return spread(
                keys,
                settings.expertParallelism(),
                dispatched
                        .keyBy(input -> keys.keyOf(input.expert()), Types.INT)
                        .transform(
                                name + "-expert-" + layer, StreamTypes.CONTRIBUTION_BLOCK, expert));
    }

    private SingleOutputStreamOperator<TokenBlock> combine(
            SingleOutputStreamOperator<ExpertInput> router,
            DataStream<ContributionBlock> contributions,
            int layer) {
        EvenKeys keys = laneKeys();
        Combine combine = new Combine(layer, spec.hiddenSize(), keys, settings.capacity());
        return spread(
                keys,
                0,
                router.getSideOutput(Router.RESIDUALS)
                        .keyBy(block -> keys.keyOf(block.tokens().lane()), Types.INT)
                        .connect(contributions.keyBy(block -> keys.keyOf(block.lane()), Types.INT))
                        .transform(name + "-combine-" + layer, StreamTypes.TOKEN_BLOCK, combine));
    }

    private SingleOutputStreamOperator<ScoredToken> head(
            SingleOutputStreamOperator<TokenBlock> tokens) {
        return identified(
                        tokens.transform(
                                name + "-head",
                                StreamTypes.SCORED_TOKEN,
                                new Head(bundle, blockRows())))
                .setParallelism(tokens.getParallelism());
    }

    private EvenKeys laneKeys() {
        return new EvenKeys(settings.lanes());
    }

    /** Tokens of a block, so that neither its inputs nor its hidden vectors exceed the limit. */
    private int blockRows() {
        int widest = Math.max(spec.inputSize(), spec.hiddenSize());
        int most = Math.max(1, MAX_BLOCK_BYTES / (Float.BYTES * widest));
        return Math.min(settings.batchSize(), most);
    }

    /**
     * Spreads keyed things over as many subtasks as asked, but never more than there are things.
     */
    private <T> SingleOutputStreamOperator<T> spread(
            EvenKeys keys, int parallelism, SingleOutputStreamOperator<T> operator) {
        int asked = parallelism > 0 ? parallelism : operator.getParallelism();
        return identified(operator)
                .setParallelism(Math.min(asked, keys.count()))
                .setMaxParallelism(keys.maxParallelism());
    }

    /** Gives an operator its name as uid. */
    private static <T> SingleOutputStreamOperator<T> identified(
            SingleOutputStreamOperator<T> operator) {
        return operator.uid(operator.getName());
    }

    /** Weights that are divided by their sum lose what the router had multiplied them by. */
    private static void refuseFactorsAfterNormalisation(BundleSpec spec) {
        for (int layer = 0; layer < spec.layers().size(); layer++) {
            LayerSpec layerSpec = spec.layers().get(layer);
            Float scaling = layerSpec.routing().routedScalingFactor();
            boolean scales = scaling != null && scaling != 1;
            if (scales || layerSpec.expertScale() != null) {
                throw new IllegalConfigurationException(
                        "%s is survivors, but layer %d of the model has %s, which would be lost; allowed: none"
                                .formatted(
                                        MoeOptions.CAPACITY_RENORMALIZE.key(),
                                        layer,
                                        scales
                                                ? "routed_scaling_factor " + scaling
                                                : "an expert_scale"));
            }
        }
    }

    private static void refuseBatchMode(StreamExecutionEnvironment env) {
        RuntimeExecutionMode mode = env.getConfiguration().get(ExecutionOptions.RUNTIME_MODE);
        if (mode != RuntimeExecutionMode.STREAMING) {
            throw new IllegalConfigurationException(
                    "%s is %s; allowed: STREAMING (lanes are kept in order by batch numbers, which a sort by key would tear apart)"
                            .formatted(ExecutionOptions.RUNTIME_MODE.key(), mode));
        }
    }

    /** With it a checkpoint holds parts of batches whose numbers are given out again. */
    private static void refuseAtLeastOnce(StreamExecutionEnvironment env) {
        CheckpointConfig checkpoints = env.getCheckpointConfig();
        CheckpointingMode mode = checkpoints.getCheckpointingConsistencyMode();
        if (checkpoints.isCheckpointingEnabled() && mode != CheckpointingMode.EXACTLY_ONCE) {
            throw new IllegalConfigurationException(
                    "%s is %s; allowed: EXACTLY_ONCE (how a sink delivers is another matter: moe.sink.delivery)"
                            .formatted(
                                    CheckpointingOptions.CHECKPOINTING_CONSISTENCY_MODE.key(),
                                    mode));
        }
    }
}
