// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.tools.bench.contenders.BestOf;
import io.flinkmoe.tools.bench.contenders.Contender;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.flink.BenchCluster;
import io.flinkmoe.tools.statistics.Rates;
import io.flinkmoe.tools.statistics.Rounds;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;

/** The parts of the benchmark, run on one cluster in this process. */
@Internal
public final class Bench implements AutoCloseable {

    private final BenchContext context;

    private Bench(BenchContext context) {
        this.context = context;
    }

    /**
     * Starts the cluster.
     *
     * @param folder an empty folder for models, Kafka's data and checkpoints
     * @param options options of the layers and of Flink; they override the benchmark's
     * @param progress receives a line for each measurement
     */
    public static Bench start(
            Path folder, Rounds rounds, Configuration options, Consumer<String> progress)
            throws Exception {
        BenchCluster cluster = BenchCluster.start(Contenders.PARALLELISM, options);
        return new Bench(new BenchContext(folder, rounds, options, progress, cluster));
    }

    /**
     * Lets the JVM load and compile the code that all contenders use. Otherwise the first shapes
     * would be slower.
     *
     * @param times how often each contender runs; the JVM compiles some code again for each job
     * @param time the duration of each run
     * @param names the contenders
     */
    public void warmUp(int times, Duration time, List<String> names) throws Exception {
        context.report("warming up");
        Contenders contenders = context.contenders(Shape.ALL.get(0));
        for (String name : names) {
            try (Contender contender = contenders.of(name)) {
                for (int i = 0; i < times; i++) {
                    contender.rate(time);
                }
            }
        }
    }

    /**
     * Measures contenders in turn, in several rounds. The first round is not counted. Contenders
     * with several settings find their best one in it.
     *
     * @param names a subset of {@link Contenders#NAMES}
     */
    public Rates compare(Shape shape, List<String> names) throws Exception {
        Contenders contenders = context.contenders(shape);
        Map<String, Contender> running = new LinkedHashMap<>();
        try {
            for (String name : names) {
                context.report("%s: preparing %s", shape.name(), name);
                running.put(name, contenders.of(name));
            }
            Rates rates = new Rates();
            for (int round = 0; round <= context.rounds(); round++) {
                for (Contender contender : running.values()) {
                    double rate = contender.rate(context.time());
                    if (round > 0) {
                        rates.add(contender.name(), rate);
                    }
                    report(shape, round, contender, rate);
                }
            }
            return rates;
        } finally {
            running.values().forEach(Contender::close);
        }
    }

    private void report(Shape shape, int round, Contender contender, double rate) {
        context.report(
                "%s, %s: %s%s: %,.0f tokens/s",
                shape.name(),
                round == 0 ? "warm-up" : "round %d of %d".formatted(round, context.rounds()),
                contender.name(),
                contender instanceof BestOf best ? ", " + best.chosen() : "",
                rate);
    }

    /** Compares the scoring job from Kafka to Kafka with the same layers from memory to memory. */
    public Rates kafka(Shape shape) throws Exception {
        return KafkaPart.measure(context, shape);
    }

    /** Measures the latency of tokens below full speed. */
    public List<Latency> latency(Shape shape) throws Exception {
        return Latency.measure(context, shape);
    }

    /** Compares users' own records with tokens, from Kafka to Kafka. */
    Rates formats(Shape shape) throws Exception {
        return FormatsPart.measure(context, shape);
    }

    /** Measures when answers are visible in Kafka, in several settings of the job. */
    List<VisibleLatency> visible(Shape shape) throws Exception {
        return VisibleLatency.measure(context, shape);
    }

    /** Measures the cost of one checkpoint per second. */
    public CheckpointCost checkpoints(Shape shape) throws Exception {
        return CheckpointCost.measure(context, shape);
    }

    /** Compares a layer with several gates with one that has the same experts and one gate. */
    PairCost gates(Shape shape) throws Exception {
        return GatesCost.measure(context, shape);
    }

    /** Compares typed columns with a vector. */
    PairCost columns(Shape shape) throws Exception {
        return ColumnsCost.measure(context, shape);
    }

    /** Measures the cost of a hop between operators, for several widths. */
    public List<HopCost> hops() throws Exception {
        return HopCost.measure(context);
    }

    /** Measures how the speed depends on the number of experts, on k and on the width. */
    public List<Growth> growth() throws Exception {
        return Growth.measure(context);
    }

    @Override
    public void close() {
        context.close();
    }
}
