package io.flinkmoe.jobs.bench;

import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.flink.configuration.Configuration;

/** Runs the benchmark's parts, on one cluster in this process. */
public final class Bench implements AutoCloseable {

    private final Path folder;
    private final Pace pace;
    private final Configuration options;
    private final Consumer<String> progress;
    private final BenchCluster cluster;

    /** How long all takes: how many rounds are counted, and how long each measurement is. */
    public record Pace(int rounds, Duration time) {}

    private Bench(
            Path folder,
            Pace pace,
            Configuration options,
            Consumer<String> progress,
            BenchCluster cluster) {
        this.folder = folder;
        this.pace = pace;
        this.options = options;
        this.progress = progress;
        this.cluster = cluster;
    }

    /**
     * Starts the cluster.
     *
     * @param folder for models and Kafka's data, empty
     * @param options of the layers and of Flink, that win over the benchmark's
     * @param progress told what is being measured, line by line
     */
    public static Bench start(
            Path folder, Pace pace, Configuration options, Consumer<String> progress)
            throws Exception {
        return new Bench(
                folder,
                pace,
                options,
                progress,
                BenchCluster.start(Contenders.PARALLELISM, options));
    }

    /**
     * Measures contenders in turn, round after round. A first round is not counted: classes are
     * loaded and compiled in it, and the best setting is found where there are several.
     *
     * @param names of {@link Contenders#NAMES}
     */
    public Rates compare(Shape shape, List<String> names) throws Exception {
        progress.accept(shape.name() + ": writing the models");
        Contenders contenders = new Contenders(shape, folder(shape), cluster, options);
        Map<String, Contender> running = new LinkedHashMap<>();
        try {
            for (String name : names) {
                running.put(name, contenders.of(name));
            }
            Rates rates = new Rates();
            for (int round = 0; round <= pace.rounds(); round++) {
                for (Contender contender : running.values()) {
                    double rate = contender.rate(pace.time());
                    if (round > 0) {
                        rates.add(contender.name(), rate);
                    }
                    progress.accept(line(shape, round, contender, rate));
                }
            }
            return rates;
        } finally {
            running.values().forEach(Contender::close);
        }
    }

    private String line(Shape shape, int round, Contender contender, double rate) {
        String setting = contender instanceof BestOf best ? ", " + best.chosen() : "";
        return "%s, %s: %s%s: %,.0f tokens/s"
                .formatted(
                        shape.name(),
                        round == 0 ? "warm-up" : "round %d of %d".formatted(round, pace.rounds()),
                        contender.name(),
                        setting,
                        rate);
    }

    private Path folder(Shape shape) {
        return folder.resolve(shape.name());
    }

    @Override
    public void close() {
        cluster.close();
    }
}
