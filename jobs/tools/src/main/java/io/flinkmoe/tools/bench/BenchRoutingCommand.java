// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.routing.GroupLimit;
import io.flinkmoe.routing.GroupLimit.GroupMask;
import io.flinkmoe.routing.GroupLimit.GroupScore;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.RoutingPresets;
import io.flinkmoe.routing.TopK;
import io.flinkmoe.routing.TopKRouter;
import io.flinkmoe.scoring.cli.TextTable;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Collections;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.Callable;
import org.apache.commons.math3.stat.descriptive.rank.Median;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * Measures how fast experts are selected, on one core: the selection alone, and the complete
 * routing.
 */
@Command(
        name = "routing",
        description = {
            "Measure how fast experts are selected, on one core.",
            "",
            "Selection finds the k best of N scores. Routing computes scores from logits, selects"
                    + " experts and computes weights. The figures are medians of interleaved rounds, in"
                    + " tokens per second of CPU time."
        },
        footer = "  moe bench routing --rounds 9")
@Internal
final class BenchRoutingCommand implements Callable<Integer> {

    private static final int TOKENS = 4096;
    private static final long ROUND_NANOS = 100_000_000;
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private enum Shape {
        MIXTRAL(RoutingConfig.mixtral(8, 2)),
        OLMOE(RoutingConfig.softmax(64, 8)),
        QWEN3_MOE(RoutingConfig.mixtral(128, 8)),
        DEEPSEEK_V3(
                RoutingPresets.of("deepseek-v3")
                        .of(256, 8)
                        .biased(Collections.nCopies(256, 0.01f))),
        /** Top 8 of 256 in groups, as in DeepSeek-V3, but with softmax scores. */
        GROUPED(
                RoutingConfig.softmax(256, 8)
                        .limitedTo(new GroupLimit(8, 4, GroupScore.TOP2_SUM, GroupMask.NEG_INF)));

        private final RoutingConfig config;

        Shape(RoutingConfig config) {
            this.config = config;
        }
    }

    @Spec private CommandSpec spec;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "7",
            description = "The number of counted rounds, after two warm-up rounds. Default: 7.")
    private int rounds;

    @Override
    public Integer call() {
        if (rounds < 1) {
            throw new ParameterException(
                    spec.commandLine(), "--rounds is %d; allowed: 1 or more".formatted(rounds));
        }
        int shapes = Shape.values().length;
        Runnable[] selecting = new Runnable[shapes];
        Runnable[] routing = new Runnable[shapes];
        for (Shape shape : Shape.values()) {
            selecting[shape.ordinal()] = selecting(shape.config);
            routing[shape.ordinal()] = routing(shape.config);
        }
        double[][] selections = new double[shapes][rounds];
        double[][] routings = new double[shapes][rounds];
        for (int round = -2; round < rounds; round++) {
            for (int shape = 0; shape < shapes; shape++) {
                double selectionRate = rate(selecting[shape]);
                double routingRate = rate(routing[shape]);
                if (round >= 0) {
                    selections[shape][round] = selectionRate;
                    routings[shape][round] = routingRate;
                }
            }
        }
        print(selections, routings);
        return 0;
    }

    private void print(double[][] selections, double[][] routings) {
        TextTable table =
                new TextTable("shape", ">N", ">k", ">groups", ">selection/s", ">routing/s");
        Median median = new Median();
        for (Shape shape : Shape.values()) {
            GroupLimit limit = shape.config.groupLimit();
            table.row(
                    shape.name().toLowerCase(Locale.ROOT).replace('_', '-'),
                    shape.config.numExperts(),
                    shape.config.numExpertsPerTok(),
                    limit == null ? "" : limit.topkGroup() + " of " + limit.nGroup(),
                    "%,.0f".formatted(median.evaluate(selections[shape.ordinal()])),
                    "%,.0f".formatted(median.evaluate(routings[shape.ordinal()])));
        }
        PrintWriter out = spec.commandLine().getOut();
        out.print(table);
        out.flush();
    }

    private static Runnable selecting(RoutingConfig config) {
        int n = config.numExperts();
        int k = config.numExpertsPerTok();
        TopK selection = new TopK(n, k, config.groupLimit());
        float[] scores = random(n);
        int[] indices = new int[TOKENS * k];
        return () -> selection.select(scores, 0, TOKENS, indices, 0);
    }

    private static Runnable routing(RoutingConfig config) {
        TopKRouter router = new TopKRouter(config);
        float[] logits = random(config.numExperts());
        int[] indices = new int[TOKENS * config.numExpertsPerTok()];
        float[] weights = new float[indices.length];
        return () -> router.route(logits, TOKENS, indices, weights);
    }

    private static float[] random(int n) {
        Random random = new Random(1);
        float[] values = new float[TOKENS * n];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** Tokens per second of CPU time, which does not depend on other load on the machine. */
    private static double rate(Runnable pass) {
        long start = THREADS.getCurrentThreadCpuTime();
        long passes = 0;
        long elapsed;
        do {
            pass.run();
            passes++;
            elapsed = THREADS.getCurrentThreadCpuTime() - start;
        } while (elapsed < ROUND_NANOS);
        return passes * (double) TOKENS * 1e9 / elapsed;
    }
}
