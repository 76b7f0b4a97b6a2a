// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.tools.bench.contenders.FlinkContender;
import io.flinkmoe.tools.bench.contenders.FlinkRun;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.statistics.Rates;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The speed of two layers that are measured in turn.
 *
 * @param pair the two
 * @param byClock tokens per second
 * @param byCpu tokens per second of CPU time
 */
@Internal
record PairCost(Pair pair, Rates byClock, Rates byCpu) {

    /**
     * Two layers.
     *
     * @param key what is compared, in the JSON file
     * @param base the layer that the other one is compared with
     * @param mark the most that the other one may take, relative to the base
     */
    record Pair(String key, String base, String other, double mark) {

        /** A name in the JSON file. */
        static String key(String name) {
            return name.replaceAll("[^a-z0-9]+", "_");
        }
    }

    /** Measures both in turn, in several rounds. The first round is not counted. */
    static PairCost measure(BenchContext context, Shape shape, Pair pair, List<FlinkContender> both)
            throws Exception {
        PairCost cost = new PairCost(pair, new Rates(), new Rates());
        for (int round = 0; round <= context.rounds(); round++) {
            for (int i = 0; i < both.size(); i++) {
                String name = i == 0 ? pair.base : pair.other;
                FlinkRun.Speed speed = both.get(i).speed(context.time());
                if (round > 0) {
                    cost.byClock.add(name, speed.tokensPerSecond());
                    cost.byCpu.add(name, speed.tokensPerCpuSecond());
                }
                context.report(
                        "%s, %s: %s: %,.0f tokens/s, %,.0f per second of CPU time",
                        shape.name(),
                        round == 0
                                ? "warm-up"
                                : "round %d of %d".formatted(round, context.rounds()),
                        name,
                        speed.tokensPerSecond(),
                        speed.tokensPerCpuSecond());
            }
        }
        return cost;
    }
}
