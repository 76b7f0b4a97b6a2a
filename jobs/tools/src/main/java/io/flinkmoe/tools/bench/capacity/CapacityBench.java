// SPDX-License-Identifier: Apache-2.0
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
 * Runs the same tokens with different capacities on one cluster in this process: first all settings
 * at full speed, in turn, then all at one steady rate, half the speed of the slowest setting.
 */
@Internal
public final class CapacityBench implements AutoCloseable {

    private static final int PARALLELISM = 2;
    private static final Duration TIMEOUT = Duration.ofMinutes(5);

    /**
     * In milliseconds. The windows are short in processing time, and Flink's default of 200 ms
     * would delay them.
     */
    private static final long WATERMARK_INTERVAL = 5;

    private static final double LOAD = 0.5;
    private static final double P99 = 0.99;

    private final BenchCluster cluster;
    private final Workload workload;
    private final Rounds rounds;
    private final Consumer<String> progress;
    private double steadyRate;

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
     * @param rounds the rounds at full speed; their time is the duration of a pass at a steady rate
     * @param progress receives a line for each measurement
     */
    public static CapacityBench start(Workload workload, Rounds rounds, Consumer<String> progress)
            throws Exception {
        BenchCluster cluster = BenchCluster.start(PARALLELISM, new Configuration());
        return new CapacityBench(cluster, workload, rounds, progress);
    }

    /** Measures all settings in turn. The first round of the speeds is not counted. */
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
                report(round, setting, replay);
            }
        }
        double slowest =
                settings.stream()
                        .mapToDouble(setting -> rates.of(setting.toString()).median())
                        .min()
                        .orElseThrow();
        steadyRate = LOAD * slowest;
        int steady = (int) Math.max(1, steadyRate * rounds.time().toMillis() / 1000);
        List<CapacityResult> results = new ArrayList<>();
        for (CapacitySetting setting : settings) {
            double p99 = run(setting, steady, steadyRate).latency(P99);
            progress.accept(
                    "%s: p99 %.1f ms at %,.0f tokens/s".formatted(setting, p99, steadyRate));
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

    private void report(int round, CapacitySetting setting, Replay replay) {
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

    /** The rate in tokens per second at which latencies were measured. */
    public double steadyRate() {
        return steadyRate;
    }

    private Replay run(CapacitySetting setting, int count, double rate) throws Exception {
        Replay replay =
                new Replay(workload.tokens(), CapacitySetting.WINDOW.toMillis(), count, rate);
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
        cluster.awaitEnd(cluster.submit(env), TIMEOUT);
        replay.requireComplete();
        return replay;
    }

    @Override
    public void close() {
        cluster.close();
    }
}
