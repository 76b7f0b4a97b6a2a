package io.flinkmoe.tools.bench;

import io.flinkmoe.tools.bench.contenders.Contender;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.statistics.Spread;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * What it costs to bring a token from one operator to the next: models of one and of three layers
 * whose experts give back their input are compared. A layer has three hops, of which two carry k
 * vectors per token; routing and summing are counted in.
 *
 * @param d the width of a vector
 * @param micros of one core's time per token and hop
 */
@Internal
public record HopCost(int d, double micros) {

    private static final int[] WIDTHS = {64, 512};
    private static final int NUM_EXPERTS = 8;
    private static final int TOP_K = 2;
    private static final int MORE_LAYERS = 3;
    private static final int HOPS = 3;

    static List<HopCost> measure(Stage stage) throws Exception {
        List<HopCost> all = new ArrayList<>();
        for (int d : WIDTHS) {
            stage.say("cost per hop, d=%d", d);
            double more = 1 / rate(stage, d, MORE_LAYERS) - 1 / rate(stage, d, 1);
            double hops = HOPS * (MORE_LAYERS - 1);
            all.add(new HopCost(d, more * Contenders.PARALLELISM / hops * 1e6));
        }
        return all;
    }

    private static double rate(Stage stage, int d, int layers) throws Exception {
        Shape shape = new Shape("hops-" + d + "-" + layers, d, 0, NUM_EXPERTS, TOP_K, layers);
        Contender flinkMoe = stage.contenders(shape).of(Contenders.FLINK_MOE);
        List<Double> rates = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            rates.add(flinkMoe.rate(stage.time()));
        }
        return Spread.of(rates).median();
    }
}
