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
 * What exactly-once costs: how fast the same job is with Kafka's transactions and without, by
 * turns. All else is equal, checkpoints each second too.
 */
@Internal
final class DrillCost {

    private static final String SOURCE = "cost";

    /** A run must be long beside a checkpoint's interval, of a second. */
    private static final int TOKENS = 1_000_000;

    private static final int ROUNDS = 5;

    /**
     * The share of a run's answers that its speed is taken from. Before, code is still being
     * compiled; behind, the last windows are flushed.
     */
    private static final double FROM = 0.3;

    private static final double TO = 0.9;

    private final DrillSite site;
    private final List<Token> flights;
    private final Consumer<String> out;

    /**
     * @param out gets what is measured, a line at a time
     */
    DrillCost(DrillSite site, List<Token> flights, Consumer<String> out) {
        this.site = site;
        this.flights = flights;
        this.out = out;
    }

    void measure() throws Exception {
        site.createTopic(SOURCE);
        DrillProducer producer =
                site.producer(SOURCE, new DrillStream(flights), new Pace(0, TOKENS), token -> {});
        producer.start();
        producer.await();
        out.accept(
                "Scoring %,d flights at full speed, %d times with each delivery"
                        .formatted(TOKENS, ROUNDS));
        tokensPerSecond("warm-up", Delivery.EXACTLY_ONCE);
        Map<Delivery, List<Double>> speeds = new EnumMap<>(Delivery.class);
        for (int round = 0; round < ROUNDS; round++) {
            List<Delivery> turns = new ArrayList<>(List.of(Delivery.values()));
            Collections.rotate(turns, round); // A machine that slows down favours neither.
            for (Delivery delivery : turns) {
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
                        "Exactly-once delivery: %+.0f %% throughput (median of the rounds; %+.0f to"
                                + " %+.0f %%).",
                        percentMore(ratio.median()),
                        percentMore(ratio.min()),
                        percentMore(ratio.max())));
    }

    private double tokensPerSecond(String name, Delivery delivery) throws Exception {
        Configuration options = site.options(SOURCE, name);
        DrillSite.runAtFullSpeed(options);
        options.set(KafkaOptions.SINK_DELIVERY, delivery);
        site.run(options);
        long[] times = DrillAnswers.times(site.brokers(), name);
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
