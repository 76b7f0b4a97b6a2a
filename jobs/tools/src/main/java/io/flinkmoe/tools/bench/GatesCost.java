// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.FlinkContender;
import io.flinkmoe.tools.bench.contenders.FlinkRun;
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
 *
 * @param byClock tokens per second
 * @param byCpu tokens per second of CPU time
 */
@Internal
record GatesCost(Rates byClock, Rates byCpu) {

    static final String ONE_GATE = "one gate, k = 6";
    static final String DENSE_GATES = "3 dense gates";

    /** The most that the second layer may take, relative to the first. */
    static final double MARK = 1.2;

    /** The shapes that are measured: experts that take little time, and ones that take much. */
    static final List<String> SHAPES = List.of("flights", "medium");

    private static final int NUM_EXPERTS = 6;
    private static final int GATES = 3;

    /** Measures both in turn, in several rounds. The first round is not counted. */
    static GatesCost measure(BenchContext context, Shape shape) throws Exception {
        RoutingConfig topK = RoutingConfig.mixtral(NUM_EXPERTS, NUM_EXPERTS);
        RoutingConfig dense = RoutingConfig.dense(NUM_EXPERTS);
        Map<String, FlinkContender> layers = new LinkedHashMap<>();
        layers.put(ONE_GATE, flinkMoe(context, shape, "one-gate", List.of(topK)));
        layers.put(
                DENSE_GATES,
                flinkMoe(context, shape, "dense-gates", Collections.nCopies(GATES, dense)));
        GatesCost cost = new GatesCost(new Rates(), new Rates());
        for (int round = 0; round <= context.rounds(); round++) {
            for (Map.Entry<String, FlinkContender> layer : layers.entrySet()) {
                FlinkRun.Speed speed = layer.getValue().speed(context.time());
                if (round > 0) {
                    cost.byClock.add(layer.getKey(), speed.tokensPerSecond());
                    cost.byCpu.add(layer.getKey(), speed.tokensPerCpuSecond());
                }
                context.report(
                        "%s, %s: %s: %,.0f tokens/s, %,.0f per second of CPU time",
                        shape.name(),
                        round == 0
                                ? "warm-up"
                                : "round %d of %d".formatted(round, context.rounds()),
                        layer.getKey(),
                        speed.tokensPerSecond(),
                        speed.tokensPerCpuSecond());
            }
        }
        return cost;
    }

    private static FlinkContender flinkMoe(
            BenchContext context, Shape shape, String suffix, List<RoutingConfig> gates)
            throws Exception {
        Shape layer = shape.withGates(shape.name() + "-" + suffix, gates);
        return (FlinkContender) context.contenders(layer).of(Contenders.FLINK_MOE);
    }
}
