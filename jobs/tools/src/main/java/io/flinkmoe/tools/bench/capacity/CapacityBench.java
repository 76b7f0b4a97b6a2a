package io.flinkmoe.tools.bench.capacity;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.tools.flink.BenchCluster;
import io.flinkmoe.tools.statistics.Rates;
import io.flinkmoe.tools.statistics.Rounds;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Runs the same tokens with different capacities, on one cluster in this process: all settings at
 * full speed, in turn, then all at one steady pace, half of the slowest's speed.
 */
@Internal
public final class CapacityBench implements AutoCloseable {

    private static final int PARALLELISM = 2;
    private static final Duration PATIENCE = Duration.ofMinutes(5);

    /** Milliseconds. Windows are short by the clock; with Flink's 200 they would all wait. */
    private static final long WATERMARK_INTERVAL = 5;

    private static final double LOAD = 0.5;
    private static final double P99 = 0.99;

    private final BenchCluster cluster;
    private final Workload workload;
    private final Rounds rounds;
    private final Consumer<String> progress;
    private double pace;

    private CapacityBench(
            BenchCluster cluster, Workload workload, Rounds rounds, Consumer<String> progress) {
        this.cluster = cluster;
        this.workload = workload;
        this.rounds = rounds;
        this.progress = progress;
    }

    /**
     * Starts the cluster.
     *
     * @param rounds those at full speed; its time is that of a pass at a steady pace
     * @param progress told what is being measured, line by line
     */
    public static CapacityBench start(Workload workload, Rounds rounds, Consumer<String> progress)
            throws Exception {
        BenchCluster cluster = BenchCluster.start(PARALLELISM, new Configuration());
        return new CapacityBench(cluster, workload, rounds, progress);
    }

    /** Measures all settings, in turn: speeds in rounds, of which the first is not counted. */
    public List<CapacityResult> measure() throws Exception {
        List<CapacitySetting> settings = CapacitySetting.all();
        Map<CapacitySetting, Replay> last = new HashMap<>();
        Rates rates = new Rates();
        int count = workload.laps() * workload.tokens().size();
        for (int round = 0; round <= rounds.count(); round++) {
            for (CapacitySetting setting : settings) {
                Replay replay = run(setting, count, 0);
                last.put(setting, replay);
                if (round > 0) {
                    rates.add(setting.toString(), replay.rate());
                }
                say(round, setting, replay);
            }
        }
        double slowest =
                settings.stream()
                        .mapToDouble(setting -> rates.of(setting.toString()).median())
                        .min()
                        .orElseThrow();
        pace = LOAD * slowest;
        int steady = (int) Math.max(1, pace * rounds.time().toMillis() / 1000);
        List<CapacityResult> results = new ArrayList<>();
        for (CapacitySetting setting : settings) {
            double p99 = run(setting, steady, pace).latency(P99);
            progress.accept("%s: p99 %.1f ms at %,.0f tokens/s".formatted(setting, p99, pace));
            Replay replay = last.get(setting);
            results.add(
                    new CapacityResult(
                            setting,
                            replay.share(Outcome.OVERFLOWED),
                            replay.share(Outcome.REROUTED),
                            rates.of(setting.toString()).median(),
                            p99,
                            replay.scores()));
        }
        return results;
    }

    private void say(int round, CapacitySetting setting, Replay replay) {
        progress.accept(
                "%s: %s: %,.0f tokens/s, %.1f %% overflowed"
                        .formatted(
                                round == 0
                                        ? "warm-up"
                                        : "round %d of %d".formatted(round, rounds.count()),
                                setting,
                                replay.rate(),
                                100 * replay.share(Outcome.OVERFLOWED)));
    }

    /** Tokens per second that latencies were measured at. */
    public double pace() {
        return pace;
    }

    private Replay run(CapacitySetting setting, int tokensOfPass, double steadyPace)
            throws Exception {
        Replay replay =
                new Replay(
                        workload.tokens(),
                        CapacitySetting.WINDOW.toMillis(),
                        tokensOfPass,
                        steadyPace);
        Replay.begin(replay);
        Configuration options = setting.options(workload.order());
        options.set(MoeOptions.BUNDLE, workload.bundle().toString());
        StreamExecutionEnvironment env = cluster.environment(PARALLELISM);
        env.getConfig().setAutoWatermarkInterval(WATERMARK_INTERVAL);
        MoeLayers.builder(options)
                .build()
                .score(ReplaySource.of(env))
                .scored()
                .sinkTo(new ReplaySink())
                .uid("answers");
        cluster.awaitEnd(cluster.submit(env), PATIENCE);
        replay.requireWhole();
        return replay;
    }

    @Override
    public void close() {
        cluster.close();
    }
}
