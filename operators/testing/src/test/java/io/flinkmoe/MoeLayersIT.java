// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.testing.Flights;
import io.flinkmoe.testing.ShuffledPartitions;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@ParameterizedClass
@EnumSource(names = {"PARTITIONED", "REPLICATED"})
class MoeLayersIT {

    @Parameter private PlacementOptions.Placement placement;

    @TempDir private static Path directory;

    private static Flights flights;
    private static List<Token> tokens;
    private static ReferenceModel.Result expected;

    @BeforeAll
    static void runReference() throws Exception {
        flights = Flights.load();
        tokens = flights.tokens();
        try (ReferenceModel model =
                ReferenceModel.open(Flights.importBundle(directory.resolve("bundle")))) {
            expected = model.forward(flights.features(), flights.count());
        }
    }

    static Stream<Arguments> topologies() {
        return Stream.of(Arguments.of(1, 256), Arguments.of(3, 7), Arguments.of(8, 1));
    }

    @ParameterizedTest(name = "parallelism {0}, blocks of {1}")
    @MethodSource("topologies")
    void givesTheBitsOfTheReferenceHoweverTheTokensArrive(int parallelism, int blockSize)
            throws Exception {
        check(parallelism, parallelism, blockSize);
    }

    /** Replicated layers are then behind an exchange by lane. */
    @Test
    void givesTheBitsOfTheReferenceIfTheSourceHasFewerSubtasks() throws Exception {
        check(1, 4, 16);
    }

    private void check(int sourceParallelism, int parallelism, int blockSize) throws Exception {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, directory.resolve("bundle").toString());
        options.set(MoeOptions.BATCH_SIZE, blockSize);
        options.set(MoeOptions.EXPERT_BATCH_SIZE, blockSize);
        options.set(PlacementOptions.PLACEMENT, placement);
        options.set(PipelineOptions.GENERIC_TYPES, false);
        options.set(PipelineOptions.AUTO_GENERATE_UIDS, false);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(parallelism, options);

        MoeResult result =
                MoeLayers.builder(options)
                        .build()
                        .score(ShuffledPartitions.of(env, tokens, sourceParallelism, blockSize));
        List<ScoredToken> scored = result.scored().executeAndCollect(tokens.size() + 1);

        assertThat(scored).hasSize(tokens.size());
        Map<String, Long> lastOfStream = new HashMap<>();
        for (ScoredToken token : scored) {
            int row = (int) token.position();
            assertThat(lastOfStream.getOrDefault(token.stream(), -1L))
                    .as("the order of stream %s", token.stream())
                    .isLessThan(token.position());
            lastOfStream.put(token.stream(), token.position());
            assertThat(Float.floatToRawIntBits(token.values()[0]))
                    .as("the bits of event %d", row)
                    .isEqualTo(Float.floatToRawIntBits(expected.out()[row]));
            for (int rank = 0; rank < Flights.TOP_K; rank++) {
                int choice = row * Flights.TOP_K + rank;
                assertThat(token.layers()[0].experts()[rank])
                        .isEqualTo(expected.layers().get(0).experts()[choice]);
                assertThat(token.layers()[0].outcomes()[rank]).isEqualTo(Outcome.EXECUTED);
            }
        }
    }
}
