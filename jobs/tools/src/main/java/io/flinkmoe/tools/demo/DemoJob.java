// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.tools.flights.Flights;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.RestartStrategyOptions;

/** The scoring job of the demo: its topics and options. */
@Internal
final class DemoJob {

    static final String TOPIC = "flights";
    static final String SCORED_TOPIC = "flights-scored";
    static final String DEAD_LETTER_TOPIC = "flights-dead-letters";

    /** Not the default, so that another job that the user starts has its own offsets. */
    private static final String GROUP_ID = "moe-demo";

    private DemoJob() {}

    /**
     * The job's options, except capacity and parallelism.
     *
     * @param folder the folder of the bundle and the checkpoints
     */
    static Configuration options(String brokers, Path folder) {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, folder.resolve("bundle").toString());
        options.set(KafkaOptions.BROKERS, brokers);
        options.set(KafkaOptions.SOURCE_TOPIC, TOPIC);
        options.set(KafkaOptions.SOURCE_GROUP_ID, GROUP_ID);
        options.set(KafkaOptions.SOURCE_MAX_BEHIND, Flights.AGE);
        options.set(KafkaOptions.SINK_TOPIC, SCORED_TOPIC);
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, DEAD_LETTER_TOPIC);
        options.set(CoreOptions.TMP_DIRS, folder.resolve("flink").toString());
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofSeconds(1));
        options.set(
                CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                folder.resolve("checkpoints").toUri().toString());
        options.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        options.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 3);
        return options;
    }
}
