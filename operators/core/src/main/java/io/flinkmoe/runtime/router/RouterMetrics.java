package io.flinkmoe.runtime.router;

import io.flinkmoe.routing.RoutingHealth;
import io.flinkmoe.runtime.shared.MoeMetrics;
import java.util.function.ToDoubleFunction;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;

/**
 * What a {@link Router} reports, in the group {@code moe.router}: {@code
 * <operator>.moe.router.numTokensIn} and so on. The gauges are of the last window of {@link
 * HealthWindows}, for the tokens of one subtask, and NaN before there is one; each expert's share
 * is in the group {@code moe.router.expert.<e>}, the expert being the variable {@code expert}.
 */
@Internal
public final class RouterMetrics {

    /** The names. */
    public enum Name {
        /** Counter: tokens that came. */
        NUM_TOKENS_IN("numTokensIn"),
        /** Counter: tokens whose experts were chosen. */
        NUM_TOKENS_ROUTED("numTokensRouted"),
        /** Counter: tokens whose window is closed. */
        NUM_TOKENS_LATE("numTokensLate"),
        /** Counter: tokens that the model cannot read. */
        NUM_TOKENS_DEAD_LETTERED("numTokensDeadLettered"),
        /** Histogram: tokens that are routed at once. */
        BATCH_SIZE("batchSize"),
        /** Histogram: microseconds to route a block: encoder, norm, router, shared experts. */
        ROUTING_TIME_US("routingTimeUs"),
        /** Gauge: CV² of the choices per expert, 0 when balanced, up to N-1. */
        LOAD_CV2("loadCv2"),
        /** Gauge: CV² of the weights per expert. */
        IMPORTANCE_CV2("importanceCv2"),
        /** Gauge: 1 when balanced, up to N. */
        LOAD_BALANCING_LOSS("loadBalancingLoss"),
        /** Gauge: mean squared log-sum-exp of the logits. */
        ROUTER_Z_LOSS("routerZLoss"),
        /** Gauge: mean entropy of a token's probabilities, in nats: 0 to log N. */
        ROUTER_ENTROPY("routerEntropy"),
        /** Gauge: experts that nothing chose. */
        DEAD_EXPERTS("deadExperts"),
        /** Gauge, per expert: its part of all choices; 1/N when balanced. */
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

    final Counter tokensIn;
    final Counter tokensRouted;
    final Counter tokensLate;
    final Counter deadLetters;
    final Histogram batchSize;
    final Histogram routingTime;

    RouterMetrics(MetricGroup operator, HealthWindows health, int numExperts) {
        MetricGroup group = MoeMetrics.group(operator, "router");
        tokensIn = group.counter(Name.NUM_TOKENS_IN.text);
        tokensRouted = group.counter(Name.NUM_TOKENS_ROUTED.text);
        tokensLate = group.counter(Name.NUM_TOKENS_LATE.text);
        deadLetters = group.counter(Name.NUM_TOKENS_DEAD_LETTERED.text);
        batchSize = MoeMetrics.histogram(group, Name.BATCH_SIZE);
        routingTime = MoeMetrics.histogram(group, Name.ROUTING_TIME_US);
        gauge(group, Name.LOAD_CV2, health, RoutingHealth::loadCv2);
        gauge(group, Name.IMPORTANCE_CV2, health, RoutingHealth::importanceCv2);
        gauge(group, Name.LOAD_BALANCING_LOSS, health, RoutingHealth::loadBalancingLoss);
        gauge(group, Name.ROUTER_Z_LOSS, health, RoutingHealth::zLoss);
        gauge(group, Name.ROUTER_ENTROPY, health, RoutingHealth::entropy);
        gauge(group, Name.DEAD_EXPERTS, health, h -> h.deadExperts().length);
        for (int expert = 0; expert < numExperts; expert++) {
            int e = expert;
            MetricGroup ofExpert = group.addGroup(MoeMetrics.EXPERT, String.valueOf(e));
            gauge(ofExpert, Name.SHARE, health, h -> h.share()[e]);
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
