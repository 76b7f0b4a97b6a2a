// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.routing.RouterNoise;
import io.flinkmoe.routing.RoutingConfig;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.dag.Transformation;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.CheckpointConfig;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.transformations.UnionTransformation;

/** Checks of a job before it is submitted. All throw {@link IllegalConfigurationException}. */
@Internal
public final class JobChecks {

    private JobChecks() {}

    /** Checks that a capacity fits each layer of a model. */
    public static void checkCapacity(Capacity capacity, BundleSpec spec) {
        for (int layer = 0; layer < spec.layers().size(); layer++) {
            LayerSpec layerSpec = spec.layers().get(layer);
            if (capacity.overflowRounds() > 0) {
                requireTopK(
                        layerSpec,
                        layer,
                        MoeOptions.OVERFLOW,
                        MoeOptions.OverflowPolicy.NEXT_EXPERT,
                        MoeOptions.OverflowPolicy.RESIDUAL);
                checkRounds(capacity.overflowRounds(), layerSpec.gates().get(0).routing(), layer);
            }
            if (capacity.weightRule().replacesRouterWeights()) {
                requireWeightsOfOutputs(layerSpec, layer);
            }
            if (capacity.weightRule().usesWindowShares()) {
                requireTopK(
                        layerSpec,
                        layer,
                        MoeOptions.CAPACITY_WEIGHTS,
                        WeightRule.WINDOW,
                        WeightRule.ROUTER + ", " + WeightRule.SURVIVORS);
            }
        }
    }

    /** Requires a layer whose weights can be replaced when its experts have answered. */
    private static void requireWeightsOfOutputs(LayerSpec spec, int layer) {
        String found =
                spec.options().weighsInput()
                        ? "multiplies the input of its experts by the weights"
                        : spec.gates().stream().anyMatch(JobChecks::scalesPerExpert)
                                ? "has a per_expert_scale"
                                : null;
        if (found != null) {
            throw new IllegalConfigurationException(
                    "%s is not %s, but layer %d %s; allowed then: %s"
                            .formatted(
                                    MoeOptions.CAPACITY_WEIGHTS.key(),
                                    WeightRule.ROUTER,
                                    layer,
                                    found,
                                    WeightRule.ROUTER));
        }
    }

    private static boolean scalesPerExpert(GateSpec gate) {
        return gate.routing() != null && gate.routing().perExpertScale() != null;
    }

    /** Requires a layer with one gate that chooses the best k experts. */
    private static void requireTopK(
            LayerSpec spec, int layer, ConfigOption<?> option, Object value, Object allowed) {
        GateSpec first = spec.gates().get(0);
        String found =
                !spec.hasOneGate()
                        ? "has %d gates".formatted(spec.gates().size())
                        : first.rule() != null
                                ? "has a gate with a rule"
                                : first.routing().isDense() ? "has a dense gate" : null;
        if (found != null) {
            throw new IllegalConfigurationException(
                    "%s is %s, but layer %d %s; allowed then: %s"
                            .formatted(option.key(), value, layer, found, allowed));
        }
    }

    /** Checks that the buffers of a call are not larger than 2 GiB. */
    public static void checkCalls(MoeSettings settings, BundleSpec spec) {
        int most = Integer.MAX_VALUE / Float.BYTES / spec.widestSize();
        if (settings.expertBatching().size() > most) {
            throw new IllegalConfigurationException(
                    "%s is %d, but the model's vectors have %d values; allowed: 1 to %d, as many as fit 2 GiB"
                            .formatted(
                                    MoeOptions.EXPERT_BATCH_SIZE.key(),
                                    settings.expertBatching().size(),
                                    spec.widestSize(),
                                    most));
        }
    }

    private static void checkRounds(int rounds, RoutingConfig routing, int layer) {
        int k = routing.k();
        int most = (routing.selectable() - 1) / k;
        if (rounds > most) {
            throw new IllegalConfigurationException(
                    "%s is %d, but layer %d selects %d of %d experts per token; allowed: %s"
                            .formatted(
                                    MoeOptions.OVERFLOW_ROUNDS.key(),
                                    rounds,
                                    layer,
                                    k,
                                    routing.selectable(),
                                    most == 0
                                            ? "no rerouting, %s: %s"
                                                    .formatted(
                                                            MoeOptions.OVERFLOW.key(),
                                                            MoeOptions.OverflowPolicy.RESIDUAL)
                                            : "1 to " + most));
        }
        if (routing.noise() != null && routing.noise().kind() == RouterNoise.Kind.GUMBEL_SECOND) {
            throw new IllegalConfigurationException(
                    "%s is %s, but layer %d draws its second choice at random; allowed: %s"
                            .formatted(
                                    MoeOptions.OVERFLOW.key(),
                                    MoeOptions.OverflowPolicy.NEXT_EXPERT,
                                    layer,
                                    MoeOptions.OverflowPolicy.RESIDUAL));
        }
    }

    /** Checks that the tokens of each stream reach one subtask in order. */
    public static void checkOrder(DataStream<?> tokens) {
        if (!(tokens.getTransformation() instanceof UnionTransformation<?> union)) {
            return;
        }
        for (Transformation<?> input : union.getInputs()) {
            if (input.getParallelism() != union.getParallelism()) {
                throw new IllegalConfigurationException(
                        "the tokens are a union of '%s' of parallelism %d and '%s' of parallelism %d, so the tokens of one stream would reach several subtasks and lose their order; allowed: inputs of equal parallelism"
                                .formatted(
                                        union.getInputs().get(0).getName(),
                                        union.getParallelism(),
                                        input.getName(),
                                        input.getParallelism()));
            }
        }
    }

    /** Checks the execution mode and the checkpointing mode of an environment. */
    public static void checkEnvironment(StreamExecutionEnvironment env) {
        RuntimeExecutionMode runtime = env.getConfiguration().get(ExecutionOptions.RUNTIME_MODE);
        if (runtime != RuntimeExecutionMode.STREAMING) {
            throw new IllegalConfigurationException(
                    "%s is %s; allowed: STREAMING (BATCH sorts records by key, which breaks the order of the batches of a lane)"
                            .formatted(ExecutionOptions.RUNTIME_MODE.key(), runtime));
        }
        // With AT_LEAST_ONCE, a checkpoint can hold parts of batches whose numbers are assigned
        // again.
        CheckpointConfig checkpoints = env.getCheckpointConfig();
        CheckpointingMode mode = checkpoints.getCheckpointingConsistencyMode();
        if (checkpoints.isCheckpointingEnabled() && mode != CheckpointingMode.EXACTLY_ONCE) {
            throw new IllegalConfigurationException(
                    "%s is %s; allowed: EXACTLY_ONCE (moe.sink.delivery sets the delivery guarantee of the sink)"
                            .formatted(
                                    CheckpointingOptions.CHECKPOINTING_CONSISTENCY_MODE.key(),
                                    mode));
        }
    }
}
