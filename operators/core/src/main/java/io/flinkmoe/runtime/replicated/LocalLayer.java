// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.replicated;

import io.flinkmoe.config.ExpertSettings;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Routed;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ResidualBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.layer.BlockRouter;
import io.flinkmoe.runtime.layer.CallBuffers;
import io.flinkmoe.runtime.layer.CallFailures;
import io.flinkmoe.runtime.layer.CombineMetrics;
import io.flinkmoe.runtime.layer.Dispatcher;
import io.flinkmoe.runtime.layer.ExpertCalls;
import io.flinkmoe.runtime.layer.ExpertMetrics;
import io.flinkmoe.runtime.layer.GateWeightedSum;
import io.flinkmoe.runtime.layer.RowList;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.MetricGroup;
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

    private final BlockRouter router;
    private final Dispatcher dispatcher;
    private final ExpertCalls[] experts;
    private final ExpertMetrics[] expertMetrics;
    private final GateWeightedSum sum;
    private final CombineMetrics metrics;

    /**
     * @param router the router of the layer
     * @param layer the MoE layer, counted from 0
     * @param group the group for the metrics of the layer
     */
    LocalLayer(
            BundleSessions sessions,
            BlockRouter router,
            int layer,
            ExpertSettings settings,
            MetricGroup group)
            throws BundleException {
        BundleSpec spec = sessions.spec();
        int d = spec.hiddenSize();
        this.router = router;
        this.dispatcher = new Dispatcher(router.numExperts(), router.k(), d, 1);
        this.sum = new GateWeightedSum(d, settings.capacity().weightRule());
        this.metrics = new CombineMetrics(group);
        CallBuffers buffers = new CallBuffers(settings.batching(), d);
        CallFailures failures = CallFailures.of(settings.onError(), layer, spec.version());
        experts = new ExpertCalls[router.numExperts()];
        expertMetrics = new ExpertMetrics[experts.length];
        for (int expert = 0; expert < experts.length; expert++) {
            if (Thread.currentThread().isInterrupted()) {
                throw new CancelTaskException("cancelled while experts were opened");
            }
            expertMetrics[expert] = new ExpertMetrics(group, expert, 0);
            experts[expert] =
                    new ExpertCalls(
                            sessions.expert(layer, expert),
                            buffers,
                            failures,
                            expertMetrics[expert]);
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
            throws FlinkException {
        List<ContributionBlock> contributions = new ArrayList<>();
        for (DispatchBlock block :
                dispatcher.split(0, tokens, routed.hidden(), choices, Choices.NO_SCORES)) {
            execute(block, contributions);
        }
        ResidualBlock residual =
                new ResidualBlock(
                        0,
                        tokens.withVectors(routed.residual()),
                        choices,
                        routed.scales(tokens.rows()));
        metrics.waiting.inc(tokens.rows());
        TokenBlock combined = sum.of(residual, contributions, RowList.all(tokens.rows()));
        metrics.nonFiniteSums.inc(sum.nonFiniteSums());
        metrics.emitted(
                combined,
                combined.layers()[combined.layers().length - 1].outcomes(),
                System.currentTimeMillis());
        return combined;
    }

    private void execute(DispatchBlock block, List<ContributionBlock> contributions)
            throws FlinkException {
        ExpertCalls calls = experts[block.expert()];
        expertMetrics[block.expert()].tokensIn.inc(block.rows());
        int[] rows = RowList.all(block.rows());
        for (int from = 0; from < rows.length; ) {
            from = calls.add(block, rows, from);
            for (ExpertCalls.Result result : calls.run()) {
                // The buffers of the call are used again by the next one.
                contributions.add(result.contribution(ContributionBlock.NO_WEIGHTS).owned());
            }
        }
    }

    /** Closes the windows of the routing health that end at or before a watermark. */
    void advance(long watermark) {
        router.advance(watermark);
    }
}
