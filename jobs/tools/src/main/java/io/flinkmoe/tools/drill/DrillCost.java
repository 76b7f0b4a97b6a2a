// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.api.Token;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.KafkaOptions.Delivery;
import io.flinkmoe.tools.statistics.Spread;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;

/**
 * Measures what exactly-once costs: the speed of the same job with and without Kafka transactions,
 * in turn. Everything else is equal, including one checkpoint per second.
 */
@Internal
final class DrillCost {

    private static final String SOURCE = "cost";

    /** A run must be long compared with the checkpoint interval of one second. */
    private static final int TOKENS = 1_000_000;

    private static final int ROUNDS = 5;

    /**
     * The part of a run's answers from which the speed is computed. Before it, code is still being
     * compiled. After it, the last windows are flushed.
     */
    private static final double FROM = 0.3;

    private static final double TO = 0.9;

    private final DrillEnvironment environment;
    private final List<Token> flights;
    private final Consumer<String> out;

    /**
     * @param out receives a line for each measurement
     */
    DrillCost(DrillEnvironment environment, List<Token> flights, Consumer<String> out) {
        this.environment = environment;
        this.flights = flights;
        this.out = out;
    }

    void measure() throws Exception {
        environment.createTopic(SOURCE);
        DrillProducer producer =
                environment.producer(
                        SOURCE, new DrillStream(flights), new SendRate(0, TOKENS), token -> {});
        producer.start();
        producer.await();
        out.accept(
                "Scoring %,d flights at full speed, %d times with each delivery guarantee"
                        .formatted(TOKENS, ROUNDS));
        tokensPerSecond("warm-up", Delivery.EXACTLY_ONCE);
        Map<Delivery, List<Double>> speeds = new EnumMap<>(Delivery.class);
        for (int round = 0; round < ROUNDS; round++) {
            List<Delivery> order =
                    new ArrayList<>(List.of(Delivery.EXACTLY_ONCE, Delivery.AT_LEAST_ONCE));
            Collections.rotate(order, round); // A slowdown of the machine then favours neither.
            for (Delivery delivery : order) {
                speeds.computeIfAbsent(delivery, d -> new ArrayList<>())
                        .add(tokensPerSecond(delivery + "-" + round, delivery));
            }
        }
        speeds.forEach((delivery, all) -> out.accept(line(delivery, all)));
        List<Double> with = speeds.get(Delivery.EXACTLY_ONCE);
        List<Double> without = speeds.get(Delivery.AT_LEAST_ONCE);
        List<Double> ratios = new ArrayList<>();
        for (int round = 0; round < ROUNDS; round++) {
            ratios.add(with.get(round) / without.get(round));
        }
        Spread ratio = Spread.of(ratios);
        out.accept(
                String.format(
                        Locale.ROOT,
                        "Exactly-once delivery changes the throughput by %+.0f %% (median of the"
                                + " rounds; %+.0f to %+.0f %%).",
                        percentMore(ratio.median()),
                        percentMore(ratio.min()),
                        percentMore(ratio.max())));
    }

    private double tokensPerSecond(String name, Delivery delivery) throws Exception {
        Configuration options = environment.options(DrillMode.NEXT_EXPERT, SOURCE, name);
        DrillEnvironment.runAtFullSpeed(options);
        options.set(KafkaOptions.SINK_DELIVERY, delivery);
        environment.run(options);
        long[] times = DrillAnswers.times(environment.brokers(), name);
        int from = (int) (FROM * times.length);
        int to = (int) (TO * times.length);
        return (to - from) * 1e3 / (times[to] - times[from]);
    }

    private static double percentMore(double ratio) {
        return (ratio - 1) * 100;
    }

    private static String line(Delivery delivery, List<Double> speeds) {
        StringBuilder line = new StringBuilder("%-14s".formatted(delivery));
        speeds.forEach(speed -> line.append(String.format(Locale.ROOT, " %,8.0f", speed)));
        return line.append(" tokens/s").toString();
    }
}
