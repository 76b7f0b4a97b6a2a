// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.testing.NumberedBundle;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A token's payload goes with it through all operators, into its answer and no other. */
class PayloadIT {

    private static final int N = 4;
    private static final int TOKENS = 300;

    @TempDir private Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"dropless", "replicated", "prioritized"})
    void everyAnswerHasThePayloadOfItsToken(String mode) throws Exception {
        NumberedBundle.write(directory.resolve("bundle"), N, 2, 2);
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, directory.resolve("bundle").toString());
        options.set(MoeOptions.BATCH_SIZE, 16);
        options.set(PipelineOptions.GENERIC_TYPES, false);
        if (mode.equals("replicated")) {
            options.set(PlacementOptions.PLACEMENT, PlacementOptions.Placement.REPLICATED);
        } else if (mode.equals("prioritized")) {
            options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
            options.set(MoeOptions.CAPACITY_SIZE, 10);
            options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
            options.set(MoeOptions.CAPACITY_WINDOW_SIZE, Duration.ofMillis(50));
            options.set(MoeOptions.OVERFLOW, MoeOptions.OverflowPolicy.NEXT_EXPERT);
        }
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(2, options);
        List<Token> tokens = new ArrayList<>();
        for (int i = 0; i < TOKENS; i++) {
            float[] values = new float[N];
            values[i % N] = 1;
            tokens.add(new Token("stream-" + i % 7, i, i, values).withPayload(payload(i)));
        }

        MoeResult result =
                MoeLayers.builder(options)
                        .build()
                        .score(env.fromData(tokens, Token.TYPE).setParallelism(1));
        List<ScoredToken> scored = new ArrayList<>();
        try (CloseableIterator<ScoredToken> answers = result.scored().executeAndCollect()) {
            answers.forEachRemaining(scored::add);
        }

        assertThat(scored).hasSize(TOKENS);
        for (ScoredToken token : scored) {
            assertThat(token.payload()).isEqualTo(payload(token.position()));
        }
    }

    /** Some tokens have none, some an empty one, and some a large one. */
    private static byte[] payload(long position) {
        if (position % 5 == 0) {
            return null;
        }
        byte[] payload = new byte[(int) position % 3 * (position % 50 == 1 ? 100_000 : 3)];
        Arrays.fill(payload, (byte) position);
        return payload;
    }
}
