// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.replicated;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.config.ExpertSettings;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.ExpertModel;
import io.flinkmoe.onnx.layer.LayerOutput;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.layer.BlockRouter;
import io.flinkmoe.runtime.layer.CallBuffers;
import io.flinkmoe.runtime.layer.CallFailures;
import io.flinkmoe.runtime.layer.CombineMetrics;
import io.flinkmoe.runtime.layer.ExpertCalls;
import io.flinkmoe.runtime.layer.ExpertMetrics;
import io.flinkmoe.runtime.layer.GateWeightedSum;
import io.flinkmoe.runtime.layer.RowList;
import io.flinkmoe.runtime.layer.RowsByExpert;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.execution.CancelTaskException;
import org.apache.flink.util.FlinkException;

/**
 * One layer in one thread: routes a block, runs its choices on the experts, and adds the weighted
 * outputs. Not thread-safe.
 */
@Internal
final class LocalLayer {

    /** Receives the tokens after the layer. */
    @FunctionalInterface
    interface Receiver {
        void accept(TokenBlock tokens) throws Exception;
    }

    /**
     * The metrics of a layer.
     *
     * @param experts by expert
     */
    record Metrics(ExpertMetrics[] experts, CombineMetrics combine) {}

    private final BlockRouter router;
    private final RowsByExpert rowsByExpert;
    private final ExpertCalls[] experts;
    private final ExpertMetrics[] expertMetrics;
    private final GateWeightedSum sum;
    private final CombineMetrics metrics;

    /**
     * @param router the router of the layer
     * @param layer the MoE layer, counted from 0
     */
    LocalLayer(
            BundleSessions sessions,
            BlockRouter router,
            int layer,
            ExpertSettings settings,
            Metrics metrics)
            throws BundleException {
        BundleSpec spec = sessions.spec();
        LayerSpec layerSpec = spec.layers().get(layer);
        this.router = router;
        this.rowsByExpert = new RowsByExpert(layerSpec);
        this.sum =
                new GateWeightedSum(layerSpec, WeightRule.ROUTER, LayerOutput.of(sessions, layer));
        this.metrics = metrics.combine;
        this.expertMetrics = metrics.experts;
        CallBuffers.Shared buffers = new CallBuffers.Shared(settings.batching());
        CallFailures failures = CallFailures.of(settings.onError(), layer, spec.version());
        experts = new ExpertCalls[layerSpec.numExperts()];
        for (int expert = 0; expert < experts.length; expert++) {
            if (Thread.currentThread().isInterrupted()) {
                throw new CancelTaskException("cancelled while experts were opened");
            }
            ExpertModel model = sessions.expert(layer, expert);
            experts[expert] =
                    new ExpertCalls(model, buffers.of(model), failures, expertMetrics[expert]);
        }
    }

    /** The width of the tokens that {@link #run} takes. */
    int inputWidth() {
        return router.inputWidth();
    }

    /** Runs the layer; tokens that a model cannot read are rejected. */
    void run(TokenBlock tokens, Receiver receiver) throws Exception {
        router.metrics().tokensIn.inc(tokens.rows());
        router.route(
                tokens,
                (routedTokens, routed, choices, draws) ->
                        receiver.accept(combine(routedTokens, routed, choices)));
    }

    private TokenBlock combine(TokenBlock tokens, Routed routed, Choices choices)
            throws FlinkException, OrtException {
        List<ContributionBlock> contributions = new ArrayList<>();
        int[] all = RowList.all(tokens.rows());
        for (ExpertRows block :
                rowsByExpert.split(tokens.lane(), 0, choices, routed.hidden(), all)) {
            execute(block, contributions);
        }
        RoutedBlock residual =
                new RoutedBlock(
                        0,
                        tokens.withVectors(routed.carried()),
                        choices,
                        routed.scales(tokens.rows()),
                        Vectors.NONE);
        metrics.waiting.inc(tokens.rows());
        TokenBlock combined = sum.of(residual, contributions, all);
        metrics.nonFiniteSums.inc(sum.nonFiniteSums());
        metrics.emitted(
                combined,
                combined.layers()[combined.layers().length - 1].outcomes(),
                System.currentTimeMillis());
        return combined;
    }

    private void execute(ExpertRows block, List<ContributionBlock> contributions)
            throws FlinkException {
        ExpertCalls calls = experts[block.expert()];
        expertMetrics[block.expert()].tokensIn.inc(block.rows());
        for (int from = 0; from < block.rows(); ) {
            from = calls.add(block, from);
            for (ContributionBlock result : calls.run()) {
                // The buffers of the call are used again by the next one.
                contributions.add(result.owned());
            }
        }
    }

    /** Closes the windows of the routing health that end at or before a watermark. */
    void advance(long watermark) {
        router.advance(watermark);
    }
}
