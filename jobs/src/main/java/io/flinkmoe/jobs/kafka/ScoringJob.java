package io.flinkmoe.jobs.kafka;

import io.flinkmoe.MoeResult;
import java.io.IOException;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** The scoring job: tokens from Kafka, through a bundle's layers, back to Kafka. */
public final class ScoringJob {

    private ScoringJob() {}

    /**
     * Checks the options, Kafka and the bundle, and lays out the job in an environment; the caller
     * executes it.
     *
     * @param options every {@link KafkaOptions} and {@link io.flinkmoe.stream.MoeOptions}, and
     *     whatever Flink options the job should run with
     * @return the streams between the layers and the sinks, for a caller that wants to look at them
     * @throws org.apache.flink.configuration.IllegalConfigurationException if options are missing,
     *     unknown or contradict each other, with all that is wrong
     * @throws IOException if Kafka or the bundle cannot be used as they are
     */
    public static MoeResult build(StreamExecutionEnvironment env, Configuration options)
            throws IOException {
        throw new IOException("not there yet");
    }
}
