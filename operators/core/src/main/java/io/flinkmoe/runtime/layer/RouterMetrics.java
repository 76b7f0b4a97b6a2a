// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.onnx.layer.RoutingFault;
import io.flinkmoe.routing.health.RoutingHealth;
import io.flinkmoe.runtime.shared.MoeMetrics;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;

/**
 * The metrics of a router, in the group {@code moe.router}, for example {@code
 * <operator>.moe.router.numTokensIn}. The gauges show the last complete window of {@link
 * HealthWindows}, for the tokens of one subtask; before there is one they are NaN. The share of an
 * expert is in the group {@code moe.router.expert.<e>}, with the variable {@code expert}. With
 * several gates, the gauges of each are in the group {@code moe.router.gate.<name>}, with the
 * variable {@code gate}.
 */
@Internal
public final class RouterMetrics {

    /** The metric names. */
    public enum Name {
        /** Counter: tokens received. */
        NUM_TOKENS_IN("numTokensIn"),
        /** Counter: tokens routed. */
        NUM_TOKENS_ROUTED("numTokensRouted"),
        /** Counter: late tokens, whose window is closed. */
        NUM_TOKENS_LATE("numTokensLate"),
        /** Counter: rejected tokens, which a model cannot read. */
        NUM_TOKENS_DEAD_LETTERED("numTokensDeadLettered"),
        /** Counter: rejected tokens for which the encoder's output is not finite. */
        NUM_NON_FINITE_ENCODINGS("numNonFiniteEncodings"),
        /** Counter: failed tokens with a logit of NaN or +∞, or fewer than k finite logits. */
        NUM_NON_FINITE_LOGITS("numNonFiniteLogits"),
        /** Counter: failed tokens with a weight that is not finite. */
        NUM_NON_FINITE_WEIGHTS("numNonFiniteWeights"),
        /** Counter: failed tokens for which the shared experts' output is not finite. */
        NUM_NON_FINITE_SHARED_OUTPUTS("numNonFiniteSharedOutputs"),
        /** Counter: failed tokens for which an earlier layer had no output. */
        NUM_TOKENS_WITHOUT_INPUT("numTokensWithoutInput"),
        /** Histogram: tokens routed in one call. */
        BATCH_SIZE("batchSize"),
        /**
         * Histogram: time to route a block, in microseconds: encoder, norm, router and shared
         * experts.
         */
        ROUTING_TIME_US("routingTimeUs"),
        /**
         * Gauge: squared coefficient of variation of the choices per expert; 0 if balanced, up to
         * N-1.
         */
        LOAD_CV2("loadCv2"),
        /** Gauge: squared coefficient of variation of the summed weights per expert. */
        IMPORTANCE_CV2("importanceCv2"),
        /** Gauge: load-balancing loss; 1 if balanced, up to N. */
        LOAD_BALANCING_LOSS("loadBalancingLoss"),
        /** Gauge: mean squared log-sum-exp of the logits. */
        ROUTER_Z_LOSS("routerZLoss"),
        /** Gauge: mean entropy of a token's probabilities, in nats: 0 to log N. */
        ROUTER_ENTROPY("routerEntropy"),
        /** Gauge: experts that no token chose. */
        DEAD_EXPERTS("deadExperts"),
        /** Gauge, per expert: its share of all choices; 1/N if balanced. */
        SHARE("share");

        private final String text;

        Name(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    public final Counter tokensIn;
    public final Counter tokensRouted;
    public final Counter tokensLate;
    public final Counter deadLetters;
    public final Histogram batchSize;
    public final Histogram routingTime;
    public final Counter nonFiniteEncodings;
    private final Map<RoutingFault, Counter> faults = new EnumMap<>(RoutingFault.class);

    RouterMetrics(MetricGroup operator) {
        MetricGroup group = MoeMetrics.group(operator, "router");
        tokensIn = group.counter(Name.NUM_TOKENS_IN.text);
        tokensRouted = group.counter(Name.NUM_TOKENS_ROUTED.text);
        tokensLate = group.counter(Name.NUM_TOKENS_LATE.text);
        deadLetters = group.counter(Name.NUM_TOKENS_DEAD_LETTERED.text);
        nonFiniteEncodings = group.counter(Name.NUM_NON_FINITE_ENCODINGS.text);
        faults.put(RoutingFault.LOGITS, group.counter(Name.NUM_NON_FINITE_LOGITS.text));
        faults.put(RoutingFault.WEIGHTS, group.counter(Name.NUM_NON_FINITE_WEIGHTS.text));
        faults.put(
                RoutingFault.SHARED_OUTPUT, group.counter(Name.NUM_NON_FINITE_SHARED_OUTPUTS.text));
        faults.put(RoutingFault.NO_INPUT, group.counter(Name.NUM_TOKENS_WITHOUT_INPUT.text));
        batchSize = MoeMetrics.histogram(group, Name.BATCH_SIZE);
        routingTime = MoeMetrics.histogram(group, Name.ROUTING_TIME_US);
    }

    /**
     * Registers the gauges of a gate.
     *
     * @param group {@link #groupOf} the gate
     */
    static void register(MetricGroup group, HealthWindows health) {
        gauge(group, Name.LOAD_CV2, health, RoutingHealth::loadCv2);
        gauge(group, Name.IMPORTANCE_CV2, health, RoutingHealth::importanceCv2);
        gauge(group, Name.LOAD_BALANCING_LOSS, health, RoutingHealth::loadBalancingLoss);
        gauge(group, Name.ROUTER_Z_LOSS, health, RoutingHealth::zLoss);
        gauge(group, Name.ROUTER_ENTROPY, health, RoutingHealth::entropy);
        gauge(group, Name.DEAD_EXPERTS, health, h -> h.deadExperts().length);
    }

    /** The group of a gate's gauges. */
    static MetricGroup groupOf(MetricGroup operator, LayerSpec layer, int gate) {
        MetricGroup group = MoeMetrics.group(operator, "router");
        return layer.hasOneGate() ? group : group.addGroup(MoeMetrics.GATE, layer.gateName(gate));
    }

    /**
     * Registers the gauges of a gate's experts.
     *
     * @param group {@link #groupOf} the gate
     * @param experts the experts of the gate, by column
     */
    static void registerShares(MetricGroup group, HealthWindows health, int[] experts) {
        for (int column = 0; column < experts.length; column++) {
            int c = column;
            MetricGroup ofExpert =
                    group.addGroup(MoeMetrics.EXPERT, String.valueOf(experts[column]));
            gauge(ofExpert, Name.SHARE, health, h -> h.share()[c]);
        }
    }

    /** Counts the faults of a block with finite encodings. */
    void countFaults(Routed routed, int tokens) {
        for (int token = 0; token < tokens && routed.hasFaults(); token++) {
            if (!routed.isRoutable(token) && !routed.isRejected(token)) {
                faults.get(routed.fault(token)).inc();
            }
        }
    }

    private static void gauge(
            MetricGroup group,
            Name name,
            HealthWindows health,
            ToDoubleFunction<RoutingHealth> value) {
        Gauge<Double> gauge =
                () -> {
                    RoutingHealth last = health.last();
                    return last == null ? Double.NaN : value.applyAsDouble(last);
                };
        group.gauge(name.text, gauge);
    }
}
