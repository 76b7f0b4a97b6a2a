package io.flinkmoe.tools.bench;

import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.flink.BenchCluster;
import io.flinkmoe.tools.statistics.Rounds;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;

/** What the parts of the benchmark share: the cluster, the models, how long to measure. */
@Internal
final class Stage implements AutoCloseable {

    private final Path folder;
    private final Rounds rounds;
    private final Configuration options;
    private final Consumer<String> progress;
    private final BenchCluster cluster;
    private final Map<Shape, Contenders> contenders = new HashMap<>();

    Stage(
            Path folder,
            Rounds rounds,
            Configuration options,
            Consumer<String> progress,
            BenchCluster cluster) {
        this.folder = folder;
        this.rounds = rounds;
        this.options = options;
        this.progress = progress;
        this.cluster = cluster;
    }

    BenchCluster cluster() {
        return cluster;
    }

    /** For models, Kafka's data and checkpoints. */
    Path folder() {
        return folder;
    }

    /** How many rounds are counted. */
    int rounds() {
        return rounds.count();
    }

    /** How long one measurement is. */
    Duration time() {
        return rounds.time();
    }

    /** Options that win over the benchmark's. */
    Configuration options() {
        return options;
    }

    /** The contenders of a shape, whose models are written once. */
    Contenders contenders(Shape shape) {
        return contenders.computeIfAbsent(
                shape, s -> new Contenders(s, folder.resolve(s.name()), cluster, options));
    }

    /** Tells what is being measured. */
    void say(String format, Object... arguments) {
        progress.accept(format.formatted(arguments));
    }

    @Override
    public void close() {
        cluster.close();
    }
}
