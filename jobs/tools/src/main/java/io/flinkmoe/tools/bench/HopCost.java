// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.tools.bench.contenders.Contender;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.statistics.Spread;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The cost of passing a token from one operator to the next. It is computed from the speeds of two
 * models, with one and with three layers, whose experts return their input. A layer has three hops,
 * two of which carry k vectors per token. Routing and summing are included.
 *
 * @param d the width of a vector
 * @param micros microseconds of one core per token and hop
 */
@Internal
public record HopCost(int d, double micros) {

    private static final int[] WIDTHS = {64, 512};
    private static final int NUM_EXPERTS = 8;
    private static final int TOP_K = 2;
    private static final int MORE_LAYERS = 3;
    private static final int HOPS = 3;

    static List<HopCost> measure(BenchContext context) throws Exception {
        List<HopCost> all = new ArrayList<>();
        for (int d : WIDTHS) {
            context.report("cost per hop, d=%d", d);
            double additional = 1 / rate(context, d, MORE_LAYERS) - 1 / rate(context, d, 1);
            double hops = HOPS * (MORE_LAYERS - 1);
            all.add(new HopCost(d, additional * Contenders.PARALLELISM / hops * 1e6));
        }
        return all;
    }

    private static double rate(BenchContext context, int d, int layers) throws Exception {
        Shape shape = new Shape("hops-" + d + "-" + layers, d, 0, NUM_EXPERTS, TOP_K, layers);
        Contender flinkMoe = context.contenders(shape).of(Contenders.FLINK_MOE);
        List<Double> rates = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            rates.add(flinkMoe.rate(context.time()));
        }
        return Spread.of(rates).median();
    }
}
