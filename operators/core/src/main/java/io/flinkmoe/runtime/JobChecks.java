package io.flinkmoe.runtime;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.routing.RouterNoise;
import io.flinkmoe.routing.RoutingConfig;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.dag.Transformation;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.CheckpointConfig;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.transformations.UnionTransformation;

/** What is refused before anything runs. All throw {@link IllegalConfigurationException}. */
@Internal
public final class JobChecks {

    private JobChecks() {}

    /** Whether a capacity fits each layer of a model. */
    public static void checkCapacity(Capacity capacity, BundleSpec spec) {
        for (int layer = 0; layer < spec.layers().size(); layer++) {
            LayerSpec layerSpec = spec.layers().get(layer);
            if (capacity.weightRule().replacesRouterWeights()) {
                refuseFactorsAfterNormalisation(capacity.weightRule(), layerSpec, layer);
            }
            if (capacity.overflowRounds() > 0) {
                checkRounds(capacity.overflowRounds(), layerSpec.routing(), layer);
            }
        }
    }

    /** Whether the buffers of a call can be had. */
    public static void checkCalls(MoeSettings settings, BundleSpec spec) {
        int most = Integer.MAX_VALUE / Float.BYTES / spec.hiddenSize();
        if (settings.expertBatching().size() > most) {
            throw new IllegalConfigurationException(
                    "%s is %d, but the model's vectors have %d values; allowed: 1 to %d, as many as fit 2 GiB"
                            .formatted(
                                    MoeOptions.EXPERT_BATCH_SIZE.key(),
                                    settings.expertBatching().size(),
                                    spec.hiddenSize(),
                                    most));
        }
    }

    /** Weights that are divided by their sum lose what the router had multiplied them by. */
    private static void refuseFactorsAfterNormalisation(
            WeightRule weightRule, LayerSpec layerSpec, int layer) {
        Float scaling = layerSpec.routing().routedScalingFactor();
        boolean scales = scaling != null && scaling != 1;
        if (scales || layerSpec.expertScale() != null) {
            throw new IllegalConfigurationException(
                    "%s is %s, but layer %d of the model has %s, which would be lost; allowed: %s"
                            .formatted(
                                    MoeOptions.CAPACITY_WEIGHTS.key(),
                                    weightRule,
                                    layer,
                                    scales ? "routed_scaling_factor " + scaling : "an expert_scale",
                                    WeightRule.ROUTER));
        }
    }

    private static void checkRounds(int rounds, RoutingConfig routing, int layer) {
        int k = routing.numExpertsPerTok();
        int most = (routing.selectable() - 1) / k;
        if (rounds > most) {
            throw new IllegalConfigurationException(
                    "%s is %d, but layer %d sends each of %d choices to one of %d experts; allowed: %s"
                            .formatted(
                                    MoeOptions.OVERFLOW_ROUNDS.key(),
                                    rounds,
                                    layer,
                                    k,
                                    routing.selectable(),
                                    most == 0
                                            ? "no next expert, %s: %s"
                                                    .formatted(
                                                            MoeOptions.OVERFLOW.key(),
                                                            MoeOptions.OverflowPolicy.RESIDUAL)
                                            : "1 to " + most));
        }
        if (routing.noise() != null && routing.noise().kind() == RouterNoise.Kind.GUMBEL_SECOND) {
            throw new IllegalConfigurationException(
                    "%s is %s, but layer %d draws its second choice; allowed: %s"
                            .formatted(
                                    MoeOptions.OVERFLOW.key(),
                                    MoeOptions.OverflowPolicy.NEXT_EXPERT,
                                    layer,
                                    MoeOptions.OverflowPolicy.RESIDUAL));
        }
    }

    /** Whether the tokens of each stream reach one subtask in their order. */
    public static void checkOrder(DataStream<?> tokens) {
        if (!(tokens.getTransformation() instanceof UnionTransformation<?> union)) {
            return;
        }
        for (Transformation<?> input : union.getInputs()) {
            if (input.getParallelism() != union.getParallelism()) {
                throw new IllegalConfigurationException(
                        "the tokens are a union of '%s', of parallelism %d, and '%s', of parallelism %d: those of the second would be spread over subtasks, each stream out of order; allowed: one parallelism"
                                .formatted(
                                        union.getInputs().get(0).getName(),
                                        union.getParallelism(),
                                        input.getName(),
                                        input.getParallelism()));
            }
        }
    }

    /** Whether the layers can run in an environment as it is set. */
    public static void checkEnvironment(StreamExecutionEnvironment env) {
        RuntimeExecutionMode runtime = env.getConfiguration().get(ExecutionOptions.RUNTIME_MODE);
        if (runtime != RuntimeExecutionMode.STREAMING) {
            throw new IllegalConfigurationException(
                    "%s is %s; allowed: STREAMING (lanes are kept in order by batch numbers, which a sort by key would tear apart)"
                            .formatted(ExecutionOptions.RUNTIME_MODE.key(), runtime));
        }
        // With AT_LEAST_ONCE a checkpoint holds parts of batches whose numbers are given out again.
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
