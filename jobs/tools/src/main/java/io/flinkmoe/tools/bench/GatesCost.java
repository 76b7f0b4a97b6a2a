// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.FlinkContender;
import io.flinkmoe.tools.bench.contenders.Shape;
import java.util.Collections;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The cost of several gates: a layer whose one gate selects all of 6 experts, and the same experts
 * with three dense gates. In both, a token runs each expert once, and there is no residual. The
 * output of the second is three times as wide.
 */
@Internal
final class GatesCost {

    /** The shapes that are measured: experts that take little time, and ones that take much. */
    static final List<String> SHAPES = List.of("flights", "medium");

    private static final PairCost.Pair PAIR =
            new PairCost.Pair("gates", "one gate, k = 6", "3 dense gates", 1.2);
    private static final int NUM_EXPERTS = 6;
    private static final int GATES = 3;

    private GatesCost() {}

    static PairCost measure(BenchContext context, Shape shape) throws Exception {
        RoutingConfig topK = RoutingConfig.mixtral(NUM_EXPERTS, NUM_EXPERTS);
        RoutingConfig dense = RoutingConfig.dense(NUM_EXPERTS);
        FlinkContender one = flinkMoe(context, shape, "one-gate", List.of(topK));
        FlinkContender several =
                flinkMoe(context, shape, "dense-gates", Collections.nCopies(GATES, dense));
        return PairCost.measure(context, shape, PAIR, List.of(one, several));
    }

    private static FlinkContender flinkMoe(
            BenchContext context, Shape shape, String suffix, List<RoutingConfig> gates)
            throws Exception {
        Shape layer = shape.withGates(shape.name() + "-" + suffix, gates);
        return (FlinkContender) context.contenders(layer).of(Contenders.FLINK_MOE);
    }
}
