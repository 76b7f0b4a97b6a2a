// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.config.Draws;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import io.flinkmoe.routing.TopKRouter;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.JobOutcomes;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.WindowRules;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random windows with random capacities, orders, rounds of overflow, arrivals, parallelism, batch
 * sizes and state backends: the stream gives the bits that the plain rules give, window by window.
 */
class PrioritizedCapacityIT {

    private static final int WINDOWS = 70;
    private static final int WINDOW_MILLIS = 50;

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(3)
                            .build());

    @TempDir private Path directory;

    private Random random;
    private int n;
    private int k;
    private CapacityFormula formula;
    private AdmissionOrder order;
    private boolean renormalize;
    private int rounds;
    private int layer;
    private List<Token> window;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20})
    void givesTheBitsOfTheRules(int seed) throws Exception {
        random = new Random(seed);
        n = 2 + random.nextInt(5);
        k = 1 + random.nextInt(Math.min(3, n));
        order = AdmissionOrder.values()[seed % 4];
        rounds = random.nextInt(1 + (n - 1) / k);
        renormalize = random.nextBoolean();
        formula = random.nextInt(3) == 0 ? CapacityFormula.fixed(random.nextInt(9)) : byFactor();
        Bundle bundle =
                NumberedBundle.write(directory.resolve("bundle"), n, k, 1 + random.nextInt(2));
        Map<Long, List<Token>> windows = windows();

        Backend backend = seed % 5 == 0 ? Backend.ROCKSDB : Backend.HEAP;
        Map<Token, ScoredToken> scored = score(bundle, windows.values(), 1 + seed % 3, backend);

        Map<Outcome, Integer> found = new EnumMap<>(Outcome.class);
        try (ReferenceModel model = ReferenceModel.open(bundle)) {
            for (List<Token> tokens : windows.values()) {
                check(model, tokens, scored, found);
            }
        }
        checkReference(bundle, windows.values(), scored);
        assertThat(found).containsKey(Outcome.OVERFLOWED);
        assertThat(found.containsKey(Outcome.REROUTED)).isEqualTo(rounds > 0);
    }

    private CapacityFormula byFactor() {
        CapacityFormula.Arithmetic[] arithmetics = {
            CapacityFormula.Arithmetic.PRODUCT,
            CapacityFormula.Arithmetic.QUOTIENT,
            CapacityFormula.Arithmetic.QUOTIENT_FLOAT32,
            CapacityFormula.Arithmetic.CEILED_QUOTIENT,
            CapacityFormula.Arithmetic.ROUNDED_PRODUCT
        };
        CapacityFormula.Rounding[] roundings = CapacityFormula.Rounding.values();
        return new CapacityFormula(
                0.2 + random.nextDouble(),
                random.nextBoolean(),
                arithmetics[random.nextInt(arithmetics.length)],
                roundings[random.nextInt(roundings.length)],
                random.nextInt(3),
                1 + random.nextInt(2),
                random.nextBoolean());
    }

    /** Windows by start, each in order of (timestamp, stream, position). Many logits are equal. */
    private Map<Long, List<Token>> windows() {
        Map<Long, List<Token>> windows = new HashMap<>();
        long position = 0;
        for (int window = 0; window < WINDOWS; window++) {
            List<Token> tokens = new ArrayList<>();
            for (int left = random.nextInt(30); left > 0; left--) {
                float[] values = new float[n];
                for (int i = 0; i < n; i++) {
                    values[i] = random.nextInt(5) / 4f;
                }
                tokens.add(
                        new Token(
                                "stream-" + random.nextInt(5),
                                position++,
                                (long) WINDOW_MILLIS * window + random.nextInt(WINDOW_MILLIS),
                                values));
            }
            tokens.sort(
                    Comparator.comparingLong(Token::timestamp)
                            .thenComparing(Token::stream)
                            .thenComparingLong(Token::position));
            windows.put((long) WINDOW_MILLIS * window, tokens);
        }
        return windows;
    }

    private Map<Token, ScoredToken> score(
            Bundle bundle, Iterable<List<Token>> windows, int parallelism, Backend backend)
            throws Exception {
        Configuration options = options(bundle);
        backend.chooseIn(options);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.configure(options);
        env.setParallelism(parallelism);
        List<Token> arrivals = new ArrayList<>();
        windows.forEach(arrivals::addAll);
        // No token comes a window later than one that is a window younger, so none is late.
        Map<Token, Integer> delays = new HashMap<>();
        arrivals.forEach(token -> delays.put(token, random.nextInt(WINDOW_MILLIS)));
        arrivals.sort(Comparator.comparingLong(token -> token.timestamp() + delays.get(token)));
        Map<Long, Token> byPosition = new HashMap<>();
        arrivals.forEach(token -> byPosition.put(token.position(), token));

        Map<Token, ScoredToken> scored = new HashMap<>();
        MoeResult result =
                MoeLayers.builder(options)
                        .build()
                        .score(
                                env.fromData(arrivals, Token.TYPE)
                                        .rebalance()
                                        .assignTimestampsAndWatermarks(
                                                WatermarkStrategy.<Token>forBoundedOutOfOrderness(
                                                                Duration.ofMillis(WINDOW_MILLIS))
                                                        .withTimestampAssigner(
                                                                (token, at) -> token.timestamp())));
        List<ScoredToken> found =
                JobOutcomes.of(env, result).checked(new TumblingWindows(WINDOW_MILLIS));
        found.forEach(token -> scored.put(byPosition.get(token.position()), token));
        assertThat(found).hasSameSizeAs(arrivals);
        assertThat(scored).hasSameSizeAs(arrivals);
        return scored;
    }

    private Configuration options(Bundle bundle) {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, bundle.directory().toString());
        options.set(MoeOptions.LANES, 1 + random.nextInt(6));
        options.set(MoeOptions.BATCH_SIZE, 1 + random.nextInt(20));
        options.set(MoeOptions.EXPERT_BATCH_SIZE, 1 + random.nextInt(16));
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, Duration.ofMillis(WINDOW_MILLIS));
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        options.set(MoeOptions.CAPACITY_ORDER, order);
        options.set(
                MoeOptions.CAPACITY_WEIGHTS,
                renormalize ? WeightRule.SURVIVORS : WeightRule.ROUTER);
        options.set(
                MoeOptions.CAPACITY,
                formula.isFixed()
                        ? MoeOptions.CapacityPolicy.FIXED
                        : MoeOptions.CapacityPolicy.FACTOR);
        options.set(MoeOptions.CAPACITY_SIZE, formula.minimum());
        options.set(MoeOptions.CAPACITY_FACTOR, formula.factor());
        options.set(MoeOptions.CAPACITY_FACTOR_TIMES_K, formula.timesK());
        options.set(MoeOptions.CAPACITY_ARITHMETIC, formula.arithmetic());
        options.set(MoeOptions.CAPACITY_ROUNDING, formula.rounding());
        options.set(MoeOptions.CAPACITY_MINIMUM, formula.minimum());
        options.set(MoeOptions.CAPACITY_MULTIPLE_OF, formula.multipleOf());
        options.set(MoeOptions.CAPACITY_AT_MOST_WINDOW, formula.atMostTokens());
        if (rounds > 0) {
            options.set(MoeOptions.OVERFLOW, MoeOptions.OverflowPolicy.NEXT_EXPERT);
            options.set(MoeOptions.OVERFLOW_ROUNDS, rounds);
        }
        options.set(PipelineOptions.AUTO_WATERMARK_INTERVAL, Duration.ofMillis(1));
        options.set(PipelineOptions.GENERIC_TYPES, false);
        return options;
    }

    /** Compares one window, and counts the outcomes. */
    private void check(
            ReferenceModel model,
            List<Token> tokens,
            Map<Token, ScoredToken> scored,
            Map<Outcome, Integer> counts)
            throws Exception {
        float[] x = new float[tokens.size() * n];
        for (int row = 0; row < tokens.size(); row++) {
            System.arraycopy(tokens.get(row).values(), 0, x, row * n, n);
        }
        window = tokens;
        layer = 0;
        ReferenceModel.Result expected = model.forward(x, tokens.size(), null, this::admit);
        for (int row = 0; row < tokens.size(); row++) {
            ScoredToken found = scored.get(tokens.get(row));
            assertThat(found.values())
                    .as("token %d of a window of %d", row, tokens.size())
                    .isEqualTo(Arrays.copyOfRange(expected.out(), row * n, row * n + n));
            for (int at = 0; at < expected.layers().size(); at++) {
                LayerResult result = expected.layers().get(at);
                Decision decision = found.layers()[at];
                int from = row * k;
                assertThat(decision.experts())
                        .isEqualTo(Arrays.copyOfRange(result.experts(), from, from + k));
                assertThat(decision.weights())
                        .isEqualTo(Arrays.copyOfRange(result.weights(), from, from + k));
                for (int rank = 0; rank < k; rank++) {
                    Outcome outcome = Outcome.ofCode(result.outcomes()[from + rank]);
                    assertThat(decision.outcomes()[rank]).isEqualTo(outcome);
                    counts.merge(outcome, 1, Integer::sum);
                }
            }
        }
    }

    /** Compares all windows at once with the reference that has the same capacity. */
    private void checkReference(
            Bundle bundle, Collection<List<Token>> windows, Map<Token, ScoredToken> scored)
            throws Exception {
        Capacity capacity =
                AtWindowClose.of(new TumblingWindows(WINDOW_MILLIS), formula, order)
                        .withWeightRule(renormalize ? WeightRule.SURVIVORS : WeightRule.ROUTER)
                        .withOverflowRounds(rounds);
        List<Token> tokens = new ArrayList<>();
        windows.forEach(tokens::addAll);
        Collections.shuffle(tokens, random);
        float[] x = new float[tokens.size() * n];
        for (int row = 0; row < tokens.size(); row++) {
            System.arraycopy(tokens.get(row).values(), 0, x, row * n, n);
        }
        TokenMetadata metadata =
                new TokenMetadata(
                        tokens.stream().mapToLong(Token::timestamp).toArray(),
                        tokens.stream().map(Token::stream).toArray(String[]::new),
                        tokens.stream().mapToLong(Token::position).toArray());
        try (ReferenceModel model = ReferenceModel.open(bundle, capacity)) {
            ReferenceModel.Result expected = model.forward(x, metadata);
            for (int row = 0; row < tokens.size(); row++) {
                ScoredToken found = scored.get(tokens.get(row));
                assertThat(found.values())
                        .as("the reference's token %d", row)
                        .isEqualTo(Arrays.copyOfRange(expected.out(), row * n, row * n + n));
                for (int at = 0; at < expected.layers().size(); at++) {
                    LayerResult result = expected.layers().get(at);
                    Decision decision = found.layers()[at];
                    int from = row * k;
                    assertThat(decision.experts())
                            .isEqualTo(Arrays.copyOfRange(result.experts(), from, from + k));
                    assertThat(decision.weights())
                            .isEqualTo(Arrays.copyOfRange(result.weights(), from, from + k));
                    for (int rank = 0; rank < k; rank++) {
                        assertThat(decision.outcomes()[rank])
                                .isEqualTo(Outcome.ofCode(result.outcomes()[from + rank]));
                    }
                }
            }
        }
    }

    /** The rules over the tokens of a window. */
    private void admit(LayerResult routed) {
        int tokens = routed.experts().length / k;
        int[] preferences = new int[tokens * n];
        float[] weights = new float[tokens * n];
        new TopKRouter(RoutingConfig.mixtral(n, k), n)
                .route(routed.logits(), tokens, preferences, weights);
        WindowRules rules =
                new WindowRules(
                        preferences,
                        order == AdmissionOrder.RANDOM
                                ? draws()
                                : Scores.of(ScoringFunc.SOFTMAX, routed.logits(), n),
                        n,
                        k,
                        rounds,
                        formula.capacity(tokens, n, k),
                        order);
        for (int choice = 0; choice < tokens * k; choice++) {
            boolean executed = rules.outcomes[choice] != Outcome.OVERFLOWED;
            routed.outcomes()[choice] = rules.outcomes[choice].code();
            int rank = choice % k + (executed ? rules.attempts[choice] * k : 0);
            routed.experts()[choice] = preferences[choice / k * n + rank];
            routed.weights()[choice] = weights[choice / k * n + rank];
        }
        if (renormalize) {
            float[] shares = rules.shares(routed.weights(), k);
            System.arraycopy(shares, 0, routed.weights(), 0, shares.length);
        }
        layer++;
    }

    /** What random admission draws for every token of the window and expert, [T, N]. */
    private float[] draws() {
        String[] streams = window.stream().map(Token::stream).toArray(String[]::new);
        long[] positions = window.stream().mapToLong(Token::position).toArray();
        NoiseSource source = Draws.SEEDED.of(streams, positions, layer);
        float[] draws = new float[positions.length * n];
        for (int i = 0; i < draws.length; i++) {
            draws[i] = source.priority(i / n, i % n);
        }
        return draws;
    }
}
