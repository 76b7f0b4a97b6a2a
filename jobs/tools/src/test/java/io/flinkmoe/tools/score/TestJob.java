// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import io.flinkmoe.capacity.GlobalWindow;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import io.flinkmoe.tools.kafka.KafkaBroker;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;

/** A scoring job in this process, between topics of its own. */
final class TestJob {

    private TestJob() {}

    /** Options of a job between three new topics that begin with the given name. */
    static Configuration options(KafkaBroker broker, Path bundle, String name, int partitions)
            throws IOException {
        broker.createTopic(name + "-in", partitions, Map.of("max.message.bytes", "4000000"));
        broker.createTopic(name + "-out", partitions, Map.of());
        broker.createTopic(name + "-dead", partitions, Map.of());
        Configuration options = new Configuration();
        options.set(KafkaOptions.BROKERS, broker.bootstrapServers());
        options.set(KafkaOptions.SOURCE_TOPIC, name + "-in");
        options.set(KafkaOptions.SOURCE_STOP, KafkaOptions.Stop.LATEST);
        options.set(KafkaOptions.SINK_TOPIC, name + "-out");
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, name + "-dead");
        options.set(MoeOptions.BUNDLE, bundle.toString());
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(500));
        return options;
    }

    static StreamExecutionEnvironment environment(int parallelism) {
        return StreamExecutionEnvironment.createLocalEnvironment(parallelism, new Configuration());
    }

    /**
     * A cluster for all jobs of a test class. Every cluster loads classes of its own, which the JVM
     * does not soon unload.
     */
    static MiniClusterExtension cluster() {
        return new MiniClusterExtension(
                new MiniClusterResourceConfiguration.Builder()
                        .setNumberTaskManagers(1)
                        .setNumberSlotsPerTaskManager(4)
                        .build());
    }

    /** Starts a job on the cluster of the test class, at parallelism 1. */
    static JobClient start(Configuration options) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(1);
        ScoringJob.build(env, options);
        return env.executeAsync();
    }

    /** Starts a job whose progress is written to {@code out}. */
    static void startWithProgress(EmbeddedFlink flink, Configuration options, Writer out)
            throws Exception {
        StreamExecutionEnvironment env = flink.environment();
        ScoringJob.build(env, options);
        JobClient job = env.executeAsync();
        new ScoreProgress(
                        flink,
                        job.getJobID(),
                        new GlobalWindow(),
                        false,
                        new PrintWriter(out, true))
                .start();
    }

    /** Runs a job to its end, in a cluster of its own. */
    static void run(Configuration options, int parallelism) throws Exception {
        StreamExecutionEnvironment env = environment(parallelism);
        ScoringJob.build(env, options);
        env.execute();
    }
}
