// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.gates;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.MoeResult;
import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.testing.GatedTokens;
import io.flinkmoe.testing.JobOutcomes;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Jobs with several gates: late tokens, and admission on arrival. */
class GatesOutcomesIT {

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(4)
                            .build());

    @TempDir private Path directory;

    static List<Long> seeds() {
        return GatesJob.seeds();
    }

    static List<Long> seedsOfOneLayer() {
        return seeds().stream().filter(s -> new GeneralModel(s).layers.size() == 1).toList();
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void lateTokensHaveNoOutputWithoutAResidual(long seed) throws Exception {
        Configuration options = GatesJob.options(seed, directory);
        GatesJob.capacity(options, seed);
        options.set(PipelineOptions.AUTO_GENERATE_UIDS, true);
        GeneralModel model = new GeneralModel(seed);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(options);
        env.setParallelism(2);
        List<Arrival> arrivals = new ArrayList<>();
        for (Token token : GatesJob.tokens(seed)) {
            long timestamp = 1_000 + token.position() - (isLate(token.position()) ? 200 : 0);
            arrivals.add(
                    Arrival.of(
                            new Token(token.stream(), token.position(), timestamp, token.values()),
                            0));
        }
        MoeResult result =
                MoeLayers.builder(options)
                        .maxOutOfOrderness(Duration.ZERO)
                        .decisionLog()
                        .build()
                        .scoreArrivals(env.fromData(arrivals, Arrival.TYPE).setParallelism(1));
        List<ScoredToken> scored =
                JobOutcomes.of(env, result)
                        .checked(new TumblingWindows(GatesJob.WINDOW.toMillis()));

        assertThat(scored).hasSize(GatesJob.TOKENS);
        boolean needsAnExpert = model.layers.stream().anyMatch(layer -> !layer.residual());
        for (ScoredToken token : scored) {
            for (Decision layer : token.layers()) {
                if (isLate(token.position())) {
                    assertThat(layer.outcomes()).containsOnly(Outcome.LATE);
                } else {
                    assertThat(layer.outcomes()).doesNotContain(Outcome.LATE);
                }
            }
            if (isLate(token.position())) {
                assertThat(token.values() == null).isEqualTo(needsAnExpert);
            }
        }
    }

    /** One lane at parallelism 1, so that the order of arrival is that of the tokens. */
    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seedsOfOneLayer")
    void admissionOnArrivalGivesTheBitsOfTheReference(long seed) throws Exception {
        Configuration options = GatesJob.options(seed, directory);
        options.set(MoeOptions.LANES, 1);
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 5);
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.FIRST_COME);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, GatesJob.WINDOW);
        options.set(
                MoeOptions.CAPACITY_WEIGHTS,
                seed % 2 == 0 ? WeightRule.SURVIVORS : WeightRule.ROUTER);
        GatesJob.prepare(seed);
        GatedTokens.open();
        GatesJob.finish(GatesJob.start(options, 1));

        Map<Long, ScoredToken> scored = GatesJob.scored();
        List<Token> tokens = GatesJob.tokens(seed);
        Bundle bundle = Bundle.read(directory.resolve("bundle"));
        try (ReferenceModel model =
                ReferenceModel.open(bundle, MoeSettings.of(options).capacity())) {
            ReferenceModel.Result result =
                    model.forward(GeneralTokens.matrix(tokens), GeneralTokens.metadata(tokens));
            LayerResult layer = result.layers().get(0);
            int k = layer.outcomes().length / GatesJob.TOKENS;
            int width = result.out().length / GatesJob.TOKENS;
            for (int row = 0; row < GatesJob.TOKENS; row++) {
                ScoredToken token = scored.get((long) row);
                assertThat(token.values() == null).isEqualTo(result.absent()[row]);
                for (int i = 0; i < width && token.values() != null; i++) {
                    assertThat(token.values()[i]).isEqualTo(result.out()[row * width + i]);
                }
                Outcome[] outcomes = token.layers()[0].outcomes();
                for (int i = 0; i < outcomes.length; i++) {
                    assertThat(outcomes[i].code()).isEqualTo(layer.outcomes()[row * k + i]);
                }
            }
        }
        GatesJob.checkThatDecisionsAreThoseOfTheTokens();
    }

    private static boolean isLate(long position) {
        return position % 10 == 9;
    }
}
