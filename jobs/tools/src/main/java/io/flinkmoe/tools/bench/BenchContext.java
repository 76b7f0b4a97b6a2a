// SPDX-License-Identifier: Apache-2.0
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

/**
 * Shared by the parts of the benchmark: the cluster, the models and the duration of measurements.
 */
@Internal
final class BenchContext implements AutoCloseable {

    private final Path folder;
    private final Rounds rounds;
    private final Configuration options;
    private final Consumer<String> progress;
    private final BenchCluster cluster;
    private final Map<Shape, Contenders> contenders = new HashMap<>();

    BenchContext(
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

    /** The number of counted rounds. */
    int rounds() {
        return rounds.count();
    }

    /** The duration of one measurement. */
    Duration time() {
        return rounds.time();
    }

    /** Options that override the benchmark's. */
    Configuration options() {
        return options;
    }

    /** The contenders of a shape. Its models are written only once. */
    Contenders contenders(Shape shape) {
        return contenders.computeIfAbsent(
                shape, s -> new Contenders(s, folder.resolve(s.name()), cluster, options));
    }

    /** Reports what is being measured. */
    void report(String format, Object... arguments) {
        progress.accept(format.formatted(arguments));
    }

    @Override
    public void close() {
        cluster.close();
    }
}
