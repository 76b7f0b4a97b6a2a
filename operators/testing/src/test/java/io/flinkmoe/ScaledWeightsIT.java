// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.testing.JobOutcomes;
import io.flinkmoe.testing.NumberedBundle;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A routed scaling factor of 4 with every weight rule: it multiplies what the rule gives. */
class ScaledWeightsIT {

    private static final int N = 3;
    private static final int TOKENS = 200;
    private static final int WINDOW_MILLIS = 25;
    private static final float FACTOR = 4; // exact, so that scaled weights are those times 4

    @TempDir private Path directory;

    private final float[] x = new float[TOKENS * N];

    @ParameterizedTest
    @EnumSource
    void isAppliedAfterTheRule(WeightRule rule) throws Exception {
        Random random = new Random(3);
        for (int i = 0; i < x.length; i++) {
            x[i] = random.nextInt(7) / 4f;
        }
        RoutingConfig plain = RoutingConfig.softmax(N, N);
        Bundle bundle = NumberedBundle.write(directory.resolve("scaled"), plain.scaledBy(FACTOR));
        Bundle unscaled = NumberedBundle.write(directory.resolve("plain"), plain);

        ReferenceModel.Result expected = reference(bundle, rule);
        List<ScoredToken> scored = score(bundle, rule);

        assertThat(scored).hasSize(TOKENS);
        LayerResult layer = expected.layers().get(0);
        for (ScoredToken token : scored) {
            int from = (int) token.position() * N;
            assertThat(token.values())
                    .isEqualTo(Arrays.copyOfRange(expected.out(), from, from + N));
            assertThat(token.layers()[0].weights())
                    .isEqualTo(Arrays.copyOfRange(layer.weights(), from, from + N));
        }
        float[] weights = reference(unscaled, rule).layers().get(0).weights();
        for (int choice = 0; choice < weights.length; choice++) {
            assertThat(layer.weights()[choice]).isEqualTo(FACTOR * weights[choice]);
        }
    }

    private ReferenceModel.Result reference(Bundle bundle, WeightRule rule) throws Exception {
        TokenMetadata metadata =
                new TokenMetadata(new long[TOKENS], new String[TOKENS], new long[TOKENS]);
        for (int row = 0; row < TOKENS; row++) {
            metadata.timestamps()[row] = row;
            metadata.streams()[row] = "stream-" + row % 5;
            metadata.positions()[row] = row;
        }
        AtWindowClose capacity =
                AtWindowClose.of(
                                new TumblingWindows(WINDOW_MILLIS),
                                CapacityFormula.fixed(9),
                                AdmissionOrder.GATE_SCORE)
                        .withWeightRule(rule);
        try (ReferenceModel model = ReferenceModel.open(bundle, capacity)) {
            return model.forward(x, metadata);
        }
    }

    private List<ScoredToken> score(Bundle bundle, WeightRule rule) throws Exception {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, bundle.directory().toString());
        options.set(MoeOptions.BATCH_SIZE, 7);
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 9);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, Duration.ofMillis(WINDOW_MILLIS));
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        options.set(MoeOptions.CAPACITY_ORDER, AdmissionOrder.GATE_SCORE);
        options.set(MoeOptions.CAPACITY_WEIGHTS, rule);
        options.set(PipelineOptions.GENERIC_TYPES, false);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(2, options);
        List<Token> tokens = new ArrayList<>();
        for (int row = 0; row < TOKENS; row++) {
            float[] values = Arrays.copyOfRange(x, row * N, row * N + N);
            tokens.add(new Token("stream-" + row % 5, row, row, values));
        }
        MoeResult result =
                MoeLayers.builder(options)
                        .build()
                        .score(
                                env.fromData(tokens, Token.TYPE)
                                        .assignTimestampsAndWatermarks(
                                                WatermarkStrategy.<Token>forMonotonousTimestamps()
                                                        .withTimestampAssigner(
                                                                (token, at) -> token.timestamp())));
        return JobOutcomes.of(env, result).checked(new TumblingWindows(WINDOW_MILLIS));
    }
}
