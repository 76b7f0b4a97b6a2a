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

/** The benchmark's parts, on one cluster in this process. */
@Internal
public final class Bench implements AutoCloseable {

    private final Stage stage;

    private Bench(Stage stage) {
        this.stage = stage;
    }

    /**
     * Starts the cluster.
     *
     * @param folder for models, Kafka's data and checkpoints; empty
     * @param options of the layers and of Flink, that win over the benchmark's
     * @param progress told what is being measured, line by line
     */
    public static Bench start(
            Path folder, Rounds rounds, Configuration options, Consumer<String> progress)
            throws Exception {
        BenchCluster cluster = BenchCluster.start(Contenders.PARALLELISM, options);
        return new Bench(new Stage(folder, rounds, options, progress, cluster));
    }

    /**
     * Lets the JVM load and compile what all contenders use: else the first shapes would pay for
     * it.
     *
     * @param times how often each contender runs: with each new job some code is compiled again
     * @param time how long each time
     * @param names the contenders
     */
    public void warmUp(int times, Duration time, List<String> names) throws Exception {
        stage.say("warming up");
        Contenders contenders = stage.contenders(Shape.ALL.get(0));
        for (String name : names) {
            try (Contender contender = contenders.of(name)) {
                for (int i = 0; i < times; i++) {
                    contender.rate(time);
                }
            }
        }
    }

    /**
     * Measures contenders in turn, round after round. A first round is not counted: in it the best
     * setting is found where there are several.
     *
     * @param names of {@link Contenders#NAMES}
     */
    public Rates compare(Shape shape, List<String> names) throws Exception {
        Contenders contenders = stage.contenders(shape);
        Map<String, Contender> running = new LinkedHashMap<>();
        try {
            for (String name : names) {
                stage.say("%s: preparing %s", shape.name(), name);
                running.put(name, contenders.of(name));
            }
            Rates rates = new Rates();
            for (int round = 0; round <= stage.rounds(); round++) {
                for (Contender contender : running.values()) {
                    double rate = contender.rate(stage.time());
                    if (round > 0) {
                        rates.add(contender.name(), rate);
                    }
                    say(shape, round, contender, rate);
                }
            }
            return rates;
        } finally {
            running.values().forEach(Contender::close);
        }
    }

    private void say(Shape shape, int round, Contender contender, double rate) {
        stage.say(
                "%s, %s: %s%s: %,.0f tokens/s",
                shape.name(),
                round == 0 ? "warm-up" : "round %d of %d".formatted(round, stage.rounds()),
                contender.name(),
                contender instanceof BestOf best ? ", " + best.chosen() : "",
                rate);
    }

    /** The scoring job from Kafka to Kafka, beside the same layers from memory to memory. */
    public Rates kafka(Shape shape) throws Exception {
        return KafkaPart.measure(stage, shape);
    }

    /** How long tokens are under way, below full speed. */
    public List<Latency> latency(Shape shape) throws Exception {
        return Latency.measure(stage, shape);
    }

    /** What a checkpoint a second costs. */
    public CheckpointCost checkpoints(Shape shape) throws Exception {
        return CheckpointCost.measure(stage, shape);
    }

    /** What a hop between operators costs, for each of some widths. */
    public List<HopCost> hops() throws Exception {
        return HopCost.measure(stage);
    }

    /** How speed depends on the number of experts, on k and on the width. */
    public List<Growth> growth() throws Exception {
        return Growth.measure(stage);
    }

    @Override
    public void close() {
        stage.close();
    }
}
