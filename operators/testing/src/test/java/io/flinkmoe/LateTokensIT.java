// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.testing.JobOutcomes;
import io.flinkmoe.testing.NumberedBundle;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every tenth token is two windows late: scored as late or diverted; the window summaries add up.
 */
class LateTokensIT {

    private static final int N = 4;
    private static final int LAYERS = 2;
    private static final int TOKENS = 300;
    private static final TumblingWindows WINDOWS = new TumblingWindows(50);

    @TempDir private Path directory;

    private final Configuration options = new Configuration();
    private StreamExecutionEnvironment env;

    @BeforeEach
    void configure() {
        NumberedBundle.write(directory.resolve("bundle"), N, 2, LAYERS);
        options.set(MoeOptions.BUNDLE, directory.resolve("bundle").toString());
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 10);
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, Duration.ofMillis(50));
        options.set(PipelineOptions.GENERIC_TYPES, false);
        env = StreamExecutionEnvironment.createLocalEnvironment(2, options);
    }

    @Test
    void keepTheirResidual() throws Exception {
        MoeResult result = layers().build().scoreArrivals(arrivals());

        List<ScoredToken> scored = JobOutcomes.of(env, result).checked(WINDOWS);

        assertThat(scored).hasSize(TOKENS);
        for (ScoredToken token : scored) {
            for (int layer = 0; layer < LAYERS; layer++) {
                Outcome[] outcomes = token.layers()[layer].outcomes();
                if (isLate(token.position())) {
                    assertThat(outcomes).containsOnly(Outcome.LATE);
                } else {
                    assertThat(outcomes).doesNotContain(Outcome.LATE);
                }
            }
        }
    }

    @Test
    void leaveBeforeTheFirstLayerWhichCountsThem() throws Exception {
        MoeResult result = layers().divertLateTokens().build().scoreArrivals(arrivals());

        JobOutcomes outcomes = JobOutcomes.ofDiverting(env, result);

        assertThat(outcomes.diverted())
                .hasSize(TOKENS / 10)
                .allMatch(token -> isLate(token.position()));
        assertThat(outcomes.checked(WINDOWS))
                .hasSize(TOKENS - TOKENS / 10)
                .noneMatch(token -> isLate(token.position()));
    }

    private MoeLayers.Builder layers() throws Exception {
        return MoeLayers.builder(options).maxOutOfOrderness(Duration.ZERO);
    }

    /** One partition, by whose content alone tokens are late. */
    private DataStream<Arrival> arrivals() {
        List<Arrival> arrivals = new ArrayList<>();
        for (int i = 0; i < TOKENS; i++) {
            float[] values = new float[N];
            values[i % N] = 1;
            long timestamp = 1_000 + i - (isLate(i) ? 100 : 0);
            arrivals.add(Arrival.of(new Token("stream-" + i % 7, i, timestamp, values), 0));
        }
        return env.fromData(arrivals, Arrival.TYPE).setParallelism(1);
    }

    private static boolean isLate(long position) {
        return position % 10 == 9;
    }
}
