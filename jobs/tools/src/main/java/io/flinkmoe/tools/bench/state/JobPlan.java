// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeOptions.CapacityPolicy;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.flink.BenchCluster;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Starts the jobs of a setting. They score tokens from memory, with a capacity and prioritized
 * admission.
 *
 * @param bundle the bundle of the shape
 * @param checkpoints the folder for checkpoints
 * @param options options of the layers and of Flink; they override the benchmark's
 */
@Internal
record JobPlan(
        BenchCluster cluster,
        StateSetting setting,
        Path bundle,
        Path checkpoints,
        Configuration options) {

    private static final double CAPACITY_FACTOR = 1.25;

    /** In milliseconds. Flink's default of 200 ms would delay the close of a window. */
    private static final long WATERMARK_INTERVAL = 5;

    /** Checkpoints are taken only when the benchmark asks for one. */
    private static final Duration NEVER = Duration.ofDays(10_000);

    /** Options of a job whose checkpoints are complete and uncompressed, and taken on request. */
    Configuration fullCheckpoints() {
        Configuration flink = checkpointsOnRequest();
        setting.backend().makeFullIn(flink);
        return flink;
    }

    /** Options of a job whose checkpoints are incremental where the backend can do that. */
    Configuration usualCheckpoints() {
        Configuration flink = checkpointsOnRequest();
        flink.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, setting.backend().isIncremental());
        return flink;
    }

    private Configuration checkpointsOnRequest() {
        Configuration flink = new Configuration();
        setting.backend().chooseIn(flink, cluster.options(), MoeSettings.of(layers()).capacity());
        flink.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, checkpoints.toUri().toString());
        flink.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, NEVER);
        flink.set(CheckpointingOptions.TOLERABLE_FAILURE_NUMBER, Integer.MAX_VALUE);
        flink.set(
                CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
        return flink;
    }

    /** Options of a job that takes checkpoints all the time. */
    Configuration frequentCheckpoints(Duration interval, boolean unaligned) {
        Configuration flink = usualCheckpoints();
        flink.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, interval);
        flink.set(CheckpointingOptions.ENABLE_UNALIGNED, unaligned);
        flink.set(
                CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                ExternalizedCheckpointRetention.DELETE_ON_CANCELLATION);
        return flink;
    }

    /** Starts a job without state. */
    StateJob start(WindowLoad load, Configuration flink) throws Exception {
        WindowLoad.begin(load);
        return new StateJob(cluster, cluster.submit(environment(flink)), load);
    }

    /** Starts a job from a checkpoint. */
    StateJob restore(WindowLoad load, Configuration flink, String checkpoint) throws Exception {
        WindowLoad.begin(load);
        return new StateJob(cluster, cluster.submit(environment(flink), checkpoint), load);
    }

    private StreamExecutionEnvironment environment(Configuration flink) throws Exception {
        StreamExecutionEnvironment env = cluster.environment(Contenders.PARALLELISM, flink);
        env.getConfig().setAutoWatermarkInterval(WATERMARK_INTERVAL);
        MoeLayers.builder(layers())
                .build()
                .score(WindowSource.of(env, setting.shape().d()))
                .scored()
                .sinkTo(new AnswerSink())
                .uid("answers");
        return env;
    }

    private Configuration layers() {
        Configuration layers = new Configuration();
        layers.set(MoeOptions.BUNDLE, bundle.toString());
        layers.set(MoeOptions.CAPACITY, CapacityPolicy.FACTOR);
        layers.set(MoeOptions.CAPACITY_FACTOR, CAPACITY_FACTOR);
        layers.set(MoeOptions.CAPACITY_WINDOW_SIZE, Duration.ofMillis(WindowLoad.WINDOW_MILLIS));
        layers.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        layers.addAll(options);
        return layers;
    }
}
