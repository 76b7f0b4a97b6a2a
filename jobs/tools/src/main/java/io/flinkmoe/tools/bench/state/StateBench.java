// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.scoring.ChangesOfWindows;
import io.flinkmoe.tools.bench.contenders.Contender;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.flink.BenchCluster;
import io.flinkmoe.tools.machine.CpuShare;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.configuration.WebOptions;
import org.apache.flink.util.FileUtils;

/** Measures open windows, one setting after another, on a cluster in this process. */
@Internal
final class StateBench implements AutoCloseable {

    /** For RocksDB. */
    private static final MemorySize MANAGED = MemorySize.ofMebiBytes(512);

    /**
     * As recommended where windows are decided at their close: barriers wait for what is in them.
     */
    private static final MemorySize SEGMENT = MemorySize.parse("64kb");

    /** More checkpoints than a job takes while its windows close. */
    private static final int HISTORY = 10_000;

    private final Path folder;
    private final Duration time;
    private final Configuration options;
    private final Consumer<String> progress;
    private final BenchCluster cluster;
    private final Map<Shape, Contenders> contenders = new HashMap<>();
    private final Map<Shape, Double> limits = new HashMap<>();

    /**
     * Starts the cluster.
     *
     * @param folder an empty folder for models and checkpoints
     * @param time the minimum duration of a measurement
     * @param options options of the layers and of Flink; they override the benchmark's
     * @param progress receives a line for each measurement
     */
    StateBench(Path folder, Duration time, Configuration options, Consumer<String> progress)
            throws Exception {
        this.folder = folder;
        this.time = time;
        this.options = options;
        this.progress = progress;
        Configuration flink = new Configuration();
        flink.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MANAGED);
        flink.set(TaskManagerOptions.MEMORY_SEGMENT_SIZE, SEGMENT);
        flink.set(WebOptions.CHECKPOINTS_HISTORY_SIZE, HISTORY);
        ChangesOfWindows.store(flink, folder.resolve("changes").toUri().toString());
        flink.addAll(options);
        this.cluster = BenchCluster.start(Contenders.PARALLELISM, flink);
    }

    /** Measures parts of a setting, and reports each. */
    void measure(StateSetting setting, Set<Part> parts, StateReport report) throws Exception {
        Path checkpoints = Files.createTempDirectory(folder, "checkpoints-");
        Path bundle = contenders(setting.shape()).bundle().directory();
        JobPlan plan = new JobPlan(cluster, setting, bundle, checkpoints, options);
        int warmUp = warmUpTokens(setting);
        try {
            for (Part part : parts) {
                if (part == Part.WINDOW) {
                    WindowResult result = window(plan, warmUp);
                    report.add(setting, figures(setting, result), result);
                } else {
                    report(plan, "closing windows, %s checkpoints".formatted(part));
                    report.add(setting, ClosingWindows.measure(plan, warmUp, time, part));
                }
                FileUtils.cleanDirectory(checkpoints.toFile());
            }
        } finally {
            FileUtils.deleteDirectoryQuietly(checkpoints.toFile());
        }
    }

    private List<Figure> figures(StateSetting setting, WindowResult result) throws Exception {
        Shape shape = setting.shape();
        LayerSpec layer = contenders(shape).bundle().spec().layers().get(0);
        return result.figures(
                setting,
                shape.layers(),
                StateSetting.maxBytesPerToken(layer, shape.d()),
                limit(shape));
    }

    private WindowResult window(JobPlan plan, int warmUp) throws Exception {
        CpuShare.ofOthers(); // Counts from now.
        report(plan, "an open window");
        OpenWindow window = OpenWindow.measure(plan, warmUp);
        report(plan, "a window that fills and closes");
        GrowingWindow growing = GrowingWindow.measure(plan, warmUp);
        report(plan, "restore");
        Restore restore = Restore.measure(plan, growing);
        return new WindowResult(window, growing, restore, CpuShare.ofOthers());
    }

    private void report(JobPlan plan, String what) {
        progress.accept("%s: %s".formatted(plan.setting(), what));
    }

    /** As many tokens as are computed in the time of a measurement, but at most one window. */
    private int warmUpTokens(StateSetting setting) throws Exception {
        double tokens = limit(setting.shape()) * time.toMillis() / 2000;
        return (int) Math.max(1, Math.min(setting.tokens(), tokens));
    }

    /** The tokens per second of a shape without Flink. */
    private double limit(Shape shape) throws Exception {
        if (!limits.containsKey(shape)) {
            progress.accept("%s: the speed without Flink".formatted(shape.name()));
            try (Contender limit = contenders(shape).of(Contenders.LIMIT)) {
                limit.rate(time.dividedBy(4)); // Finds the best batch size.
                limits.put(shape, limit.rate(time.dividedBy(2)));
            }
        }
        return limits.get(shape);
    }

    private Contenders contenders(Shape shape) {
        return contenders.computeIfAbsent(
                shape, s -> new Contenders(s, folder.resolve(s.name()), cluster, options));
    }

    @Override
    public void close() {
        cluster.close();
    }
}
