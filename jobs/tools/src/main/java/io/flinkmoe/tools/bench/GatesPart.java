// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.tools.bench.contenders.Contender;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.statistics.Rates;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * The cost of several gates: a layer whose one gate selects all of 6 experts, and the same experts
 * with three dense gates. In both, a token runs each expert once, and there is no residual. The
 * output of the second is three times as wide.
 */
@Internal
final class GatesPart {

    static final String ONE_GATE = "one gate, k = 6";
    static final String DENSE_GATES = "3 dense gates";

    /** The most that the second layer may take, relative to the first. */
    static final double MARK = 1.2;

    /** The shapes that are measured: experts that take little time, and ones that take much. */
    static final List<String> SHAPES = List.of("flights", "medium");

    private static final int NUM_EXPERTS = 6;
    private static final int GATES = 3;

    private GatesPart() {}

    /** Measures both in turn, in several rounds. The first round is not counted. */
    static Rates measure(BenchContext context, Shape shape) throws Exception {
        Map<String, Contender> layers = new LinkedHashMap<>();
        RoutingConfig topK = RoutingConfig.mixtral(NUM_EXPERTS, NUM_EXPERTS);
        RoutingConfig dense = RoutingConfig.dense(NUM_EXPERTS);
        layers.put(ONE_GATE, flinkMoe(context, shape, "one-gate", List.of(topK)));
        layers.put(
                DENSE_GATES,
                flinkMoe(context, shape, "dense-gates", Collections.nCopies(GATES, dense)));
        Rates rates = new Rates();
        for (int round = 0; round <= context.rounds(); round++) {
            for (Map.Entry<String, Contender> layer : layers.entrySet()) {
                double rate = layer.getValue().rate(context.time());
                if (round > 0) {
                    rates.add(layer.getKey(), rate);
                }
                context.report(
                        "%s, %s: %s: %,.0f tokens/s",
                        shape.name(),
                        round == 0
                                ? "warm-up"
                                : "round %d of %d".formatted(round, context.rounds()),
                        layer.getKey(),
                        rate);
            }
        }
        return rates;
    }

    private static Contender flinkMoe(
            BenchContext context, Shape shape, String suffix, List<RoutingConfig> gates)
            throws Exception {
        Shape layer = shape.withGates(shape.name() + "-" + suffix, gates);
        return context.contenders(layer).of(Contenders.FLINK_MOE);
    }
}
