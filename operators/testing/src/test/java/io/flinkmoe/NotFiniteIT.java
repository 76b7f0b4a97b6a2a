// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.BrokenModels;
import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.JobOutcomes;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Models with values that are not finite, in every part and in many tokens: the stream answers as
 * the reference does, and no score is anything but finite.
 */
class NotFiniteIT {

    private static final int N = 5;
    private static final int K = 2;
    private static final int LAYERS = 2;
    private static final int TOKENS = 600;
    private static final int WINDOW_MILLIS = 50;
    private static final TumblingWindows WINDOWS = new TumblingWindows(WINDOW_MILLIS);

    /** What the parts answer NaN to. The head sees it only if both layers have failed. */
    private static final float ENCODER = 100;

    private static final float SHARED = 101;
    private static final float HEAD = 102;
    private static final float EXPERT = 103;

    /** Its multiples are finite up to 2.8 of it. */
    private static final float HUGE = 1.2e38f;

    @TempDir private Path directory;

    private final Random random = new Random(7);
    private final float[] x = new float[TOKENS * N];
    private final List<DeadLetter> letters = new ArrayList<>();

    private TinyBundle.Builder bundle() {
        return TinyBundle.builder()
                .routing(RoutingConfig.softmax(N, K).scaledBy(1.5f))
                .layers(LAYERS)
                .hiddenSize(N)
                .router(BrokenModels.maskingRouter(N))
                .sharedExpert((expert, width) -> BrokenModels.nanAt(SHARED, width))
                .experts(FixedExperts.numbered())
                .expert(3, (expert, width) -> BrokenModels.nanAt(EXPERT, width))
                .encoder(BrokenModels.nanAt(ENCODER, N))
                .head(BrokenModels.nanAt(HEAD, N));
    }

    private void drawTokens(float... triggers) {
        for (int i = 0; i < x.length; i++) {
            x[i] = random.nextInt(9) - 4;
        }
        for (int row = 0; row < TOKENS; row++) {
            int trigger = random.nextInt(2 * triggers.length);
            if (trigger < triggers.length) {
                x[row * N + random.nextInt(N)] = triggers[trigger];
            }
        }
    }

    @Test
    void answersAsTheReferenceDoesWithoutACapacity() throws Exception {
        drawTokens(ENCODER, SHARED, EXPERT, HUGE, -HUGE, HUGE / 2);
        for (int row = 0; row < TOKENS; row += 10) {
            x[row * N + 1] = SHARED;
            x[row * N + 2] = HEAD;
        }
        Configuration options = bundle().writeTo(directory.resolve("bundle")).options();

        ReferenceModel.Result expected = reference(options, new Dropless());
        List<ScoredToken> scored = score(options);

        check(scored, expected);
        checkLetters(expected);
        Map<Outcome, Integer> counts = counts(expected);
        assertThat(counts.get(Outcome.FAILED)).isGreaterThan(100);
        assertThat(counts.get(Outcome.EXECUTED)).isGreaterThan(100);
    }

    @Test
    void answersAsTheReferenceDoesWithRoundsAndWeightsOfSurvivors() throws Exception {
        drawTokens(ENCODER, SHARED, EXPERT, HUGE, -HUGE, HUGE / 2);
        Configuration options = bundle().writeTo(directory.resolve("bundle")).options();
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FACTOR);
        options.set(MoeOptions.CAPACITY_FACTOR, 0.5);
        options.set(MoeOptions.CAPACITY_FACTOR_TIMES_K, true);
        options.set(MoeOptions.CAPACITY_ARITHMETIC, CapacityFormula.Arithmetic.QUOTIENT);
        options.set(MoeOptions.CAPACITY_ROUNDING, CapacityFormula.Rounding.CEIL);
        options.set(MoeOptions.CAPACITY_MINIMUM, 0);
        options.set(MoeOptions.CAPACITY_MULTIPLE_OF, 1);
        options.set(MoeOptions.CAPACITY_AT_MOST_WINDOW, false);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, Duration.ofMillis(WINDOW_MILLIS));
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        options.set(MoeOptions.CAPACITY_ORDER, AdmissionOrder.TOKEN_PRIORITY);
        options.set(MoeOptions.CAPACITY_WEIGHTS, WeightRule.SURVIVORS);
        options.set(MoeOptions.OVERFLOW, MoeOptions.OverflowPolicy.NEXT_EXPERT);
        options.set(MoeOptions.OVERFLOW_ROUNDS, 1);
        Capacity capacity =
                AtWindowClose.of(
                                WINDOWS,
                                CapacityFormula.megatron(0.5),
                                AdmissionOrder.TOKEN_PRIORITY)
                        .withWeightRule(WeightRule.SURVIVORS)
                        .withOverflowRounds(1);

        ReferenceModel.Result expected = reference(options, capacity);
        StreamExecutionEnvironment env = environment(options);
        List<ScoredToken> scored = JobOutcomes.of(env, job(env, options)).checked(WINDOWS);

        check(scored, expected);
        Map<Outcome, Integer> counts = counts(expected);
        assertThat(counts.keySet())
                .contains(Outcome.EXECUTED, Outcome.REROUTED, Outcome.OVERFLOWED, Outcome.FAILED);
        assertThat(failedSums(expected)).isPositive();
    }

    private ReferenceModel.Result reference(Configuration options, Capacity capacity)
            throws Exception {
        TokenMetadata metadata =
                new TokenMetadata(new long[TOKENS], new String[TOKENS], new long[TOKENS]);
        for (int row = 0; row < TOKENS; row++) {
            metadata.timestamps()[row] = row;
            metadata.streams()[row] = "stream-" + row % 7;
            metadata.positions()[row] = row;
        }
        var written = Bundle.read(Path.of(options.get(MoeOptions.BUNDLE)));
        try (ReferenceModel model = ReferenceModel.open(written, capacity)) {
            return model.forward(x, metadata);
        }
    }

    private StreamExecutionEnvironment environment(Configuration options) {
        options.set(MoeOptions.BATCH_SIZE, 9);
        options.set(MoeOptions.EXPERT_BATCH_SIZE, 4);
        options.set(PipelineOptions.GENERIC_TYPES, false);
        return StreamExecutionEnvironment.createLocalEnvironment(2, options);
    }

    private MoeResult job(StreamExecutionEnvironment env, Configuration options) throws Exception {
        List<Token> tokens = new ArrayList<>();
        for (int row = 0; row < TOKENS; row++) {
            float[] values = Arrays.copyOfRange(x, row * N, row * N + N);
            tokens.add(new Token("stream-" + row % 7, row, row, values));
        }
        return MoeLayers.builder(options)
                .build()
                .score(
                        env.fromData(tokens, Token.TYPE)
                                .assignTimestampsAndWatermarks(
                                        WatermarkStrategy.<Token>forMonotonousTimestamps()
                                                .withTimestampAssigner(
                                                        (token, at) -> token.timestamp())));
    }

    private List<ScoredToken> score(Configuration options) throws Exception {
        StreamExecutionEnvironment env = environment(options);
        MoeResult result = job(env, options);
        List<ScoredToken> scored = new ArrayList<>();
        try (CloseableIterator<ScoredToken> tokens = result.scored().collectAsync();
                CloseableIterator<DeadLetter> rejected = result.deadLetters().collectAsync()) {
            env.executeAsync();
            tokens.forEachRemaining(scored::add);
            rejected.forEachRemaining(letters::add);
        }
        return scored;
    }

    private void check(List<ScoredToken> scored, ReferenceModel.Result expected) {
        Map<Integer, ScoredToken> byRow = new HashMap<>();
        scored.forEach(token -> byRow.put((int) token.position(), token));
        assertThat(byRow).hasSameSizeAs(scored);
        for (int row = 0; row < TOKENS; row++) {
            ScoredToken found = byRow.get(row);
            String what = "token %d: %s".formatted(row, found);
            assertThat(found == null).as(what).isEqualTo(expected.rejected()[row] != null);
            if (found == null) {
                continue;
            }
            assertThat(found.values())
                    .as(what)
                    .isEqualTo(Arrays.copyOfRange(expected.out(), row * N, row * N + N));
            assertThat(Floats.allFinite(found.values(), 0, N)).as(what).isTrue();
            for (int layer = 0; layer < LAYERS; layer++) {
                LayerResult result = expected.layers().get(layer);
                Decision decision = found.layers()[layer];
                int from = row * K;
                assertThat(decision.experts())
                        .as(what)
                        .isEqualTo(Arrays.copyOfRange(result.experts(), from, from + K));
                assertThat(decision.weights())
                        .as(what)
                        .isEqualTo(Arrays.copyOfRange(result.weights(), from, from + K));
                for (int rank = 0; rank < K; rank++) {
                    assertThat(decision.outcomes()[rank])
                            .as(what)
                            .isEqualTo(Outcome.ofCode(result.outcomes()[from + rank]));
                }
            }
        }
    }

    private void checkLetters(ReferenceModel.Result expected) {
        int rejected = 0;
        for (String reason : expected.rejected()) {
            rejected += reason == null ? 0 : 1;
        }
        assertThat(letters).hasSize(rejected);
        int ofHead = 0;
        for (DeadLetter letter : letters) {
            int row = (int) letter.token().position();
            assertThat(expected.rejected()[row])
                    .isEqualTo(
                            letter.reason().replace(" (its input values are no longer known)", ""));
            assertThat(letter.token().stream()).isEqualTo("stream-" + row % 7);
            float[] values = Arrays.copyOfRange(x, row * N, row * N + N);
            if (letter.reason().startsWith("the encoder's output")) {
                assertThat(letter.token().values()).isEqualTo(values).contains(ENCODER);
            } else {
                assertThat(letter.reason()).startsWith("the head's output");
                assertThat(letter.token().values()).isEmpty();
                assertThat(values).contains(HEAD, SHARED);
                ofHead++;
            }
        }
        assertThat(ofHead).isBetween(10, rejected - 10);
    }

    private static Map<Outcome, Integer> counts(ReferenceModel.Result result) {
        Map<Outcome, Integer> counts = new EnumMap<>(Outcome.class);
        for (LayerResult layer : result.layers()) {
            for (byte outcome : layer.outcomes()) {
                counts.merge(Outcome.ofCode(outcome), 1, Integer::sum);
            }
        }
        return counts;
    }

    /** Choices with a slot that failed, though the expert's answer is finite. */
    private long failedSums(ReferenceModel.Result result) {
        long count = 0;
        float[] input = x;
        for (LayerResult layer : result.layers()) {
            for (int choice = 0; choice < TOKENS * K; choice++) {
                if (layer.slots()[choice] < 0
                        || layer.outcomes()[choice] != Outcome.FAILED.code()) {
                    continue;
                }
                int expert = layer.experts()[choice];
                int from = choice / K * N;
                boolean finite = true;
                for (int i = from; i < from + N; i++) {
                    float answer = expert == 3 ? input[i] : (expert + 1) * input[i];
                    finite &= Float.isFinite(answer) && (expert != 3 || input[i] != EXPERT);
                }
                count += finite ? 1 : 0;
            }
            input = layer.out();
        }
        return count;
    }
}
