// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.MoeResult;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.config.PlacementOptions.Placement;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.testing.JobOutcomes;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every golden case with a capacity or with several gates, of the folder that {@code -Dgolden.dir}
 * gives, through {@link MoeLayers} at parallelism 1, 2 and 4; by default, of the project's own, at
 * 4. A group (a sequence of HF Switch) is one window; its tokens arrive in random order. Random
 * draws are those of the case.
 */
class GoldenStreamIT {

    private static final int[] PARALLELISMS =
            System.getProperty("golden.dir") == null ? new int[] {4} : new int[] {1, 2, 4};

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(4)
                            .build());

    private static int cases;
    private static int passed;

    @TempDir private Path directory;

    static List<GoldenCase> capacityCases() throws IOException {
        return GoldenCases.in(GoldenCases.folder()).stream()
                .filter(golden -> golden.has("capacity"))
                .toList();
    }

    static List<GoldenCase> casesOfGates() throws IOException {
        return GoldenCases.in(GoldenCases.folder()).stream()
                .filter(GoldenLevels::appliesTo)
                .toList();
    }

    static List<GoldenCase> handMadeCases(@TempDir Path folder) throws IOException {
        return HandMadeCases.in(folder);
    }

    @ParameterizedTest(name = "{0}", allowZeroInvocations = true)
    @MethodSource("capacityCases")
    void dropsAndAnswersAsThePublishedCodeInAStream(GoldenCase golden) throws Exception {
        cases++;
        GoldenBundle layer = new GoldenBundle(golden).withTheVectorWhereShared();
        RoutingConfig routing = GoldenRouting.of(golden);
        Configuration options = options(layer.write(directory.resolve("bundle"), routing), golden);
        for (int parallelism : PARALLELISMS) {
            check(golden, layer, routing, score(golden, layer.tokens(), options, parallelism));
        }
        passed++;
    }

    @ParameterizedTest(name = "{0}", allowZeroInvocations = true)
    @MethodSource("casesOfGates")
    void answersAsThePublishedCodeWithSeveralGatesInAStream(GoldenCase golden) throws Exception {
        cases++;
        Bundle bundle = new GoldenLevels(golden).write(directory.resolve("bundle"));
        for (Placement placement : List.of(Placement.PARTITIONED, Placement.REPLICATED)) {
            Configuration options = new Configuration();
            options.set(MoeOptions.BUNDLE, bundle.directory().toString());
            options.set(MoeOptions.BATCH_SIZE, 5);
            options.set(MoeOptions.EXPERT_BATCH_SIZE, 3);
            options.set(PlacementOptions.PLACEMENT, placement);
            options.set(PipelineOptions.GENERIC_TYPES, false);
            boolean isSpread = placement == Placement.PARTITIONED;
            for (int parallelism : isSpread ? PARALLELISMS : new int[] {2}) {
                MoeLayers layers = MoeLayers.builder(options).build();
                checkGates(golden, scored(golden, layers, options, parallelism));
            }
        }
        passed++;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("handMadeCases")
    void answersAsComputedByHandInAStream(GoldenCase golden) throws Exception {
        GoldenBundle layer = new GoldenBundle(golden).withTheVectorWhereShared();
        RoutingConfig routing = GoldenRouting.of(golden);
        Configuration options = options(layer.write(directory.resolve("bundle"), routing), golden);
        for (int parallelism : PARALLELISMS) {
            check(golden, layer, routing, score(golden, layer.tokens(), options, parallelism));
        }
    }

    /** The case's capacity as a user would write it. */
    private static Configuration options(Bundle bundle, GoldenCase golden) {
        CapacityRule rule = new CapacityRule(golden);
        CapacityFormula formula = rule.formula();
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, bundle.directory().toString());
        options.set(MoeOptions.BATCH_SIZE, 5);
        options.set(MoeOptions.EXPERT_BATCH_SIZE, 3);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, Duration.ofMillis(rule.rowsOfGroup()));
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        options.set(MoeOptions.CAPACITY_ORDER, rule.order());
        if (formula.isFixed()) {
            options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
            options.set(MoeOptions.CAPACITY_SIZE, formula.minimum());
        } else {
            options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FACTOR);
            options.set(MoeOptions.CAPACITY_FACTOR, formula.factor());
            options.set(MoeOptions.CAPACITY_FACTOR_TIMES_K, formula.timesK());
            options.set(MoeOptions.CAPACITY_ARITHMETIC, formula.arithmetic());
            options.set(MoeOptions.CAPACITY_ROUNDING, formula.rounding());
            options.set(MoeOptions.CAPACITY_MINIMUM, formula.minimum());
            options.set(MoeOptions.CAPACITY_MULTIPLE_OF, formula.multipleOf());
            options.set(MoeOptions.CAPACITY_AT_MOST_WINDOW, formula.atMostTokens());
        }
        options.set(MoeOptions.CAPACITY_WEIGHTS, rule.weightRule());
        if (rule.overflowRounds() > 0) {
            options.set(MoeOptions.OVERFLOW, MoeOptions.OverflowPolicy.NEXT_EXPERT);
            options.set(MoeOptions.OVERFLOW_ROUNDS, rule.overflowRounds());
        }
        options.set(PipelineOptions.GENERIC_TYPES, false);
        return options;
    }

    private static List<ScoredToken> scored(
            GoldenCase golden, MoeLayers layers, Configuration options, int parallelism)
            throws Exception {
        StreamExecutionEnvironment env = environment(options, parallelism);
        MoeResult result = layers.score(tokens(env, golden, golden.floats("x"), parallelism));
        try (CloseableIterator<ScoredToken> tokens = result.scored().executeAndCollect()) {
            List<ScoredToken> all = new ArrayList<>();
            tokens.forEachRemaining(all::add);
            return all;
        }
    }

    /** Compares the gates of each level, by descending weight, and the outputs. */
    private static void checkGates(GoldenCase golden, List<ScoredToken> scored) {
        GoldenLevelsCheck check = new GoldenLevelsCheck(golden);
        int tokens = golden.integer("tokens");
        assertThat(scored).hasSize(tokens);
        int width = scored.get(0).values().length;
        float[] out = new float[tokens * width];
        for (ScoredToken token : scored) {
            System.arraycopy(token.values(), 0, out, (int) token.position() * width, width);
            for (Decision layer : token.layers()) {
                assertThat(layer.outcomes()).containsOnly(Outcome.EXECUTED);
            }
        }
        check.checkOut(out);
        for (int level = 0; level < scored.get(0).layers().length; level++) {
            for (int gate = 0; gate < check.gates(level); gate++) {
                int k = check.ranks(level, gate);
                int[] experts = new int[tokens * k];
                float[] weights = new float[tokens * k];
                Arrays.fill(experts, -1);
                for (ScoredToken token : scored) {
                    int row = (int) token.position();
                    rank(token.layers()[level], gate, row * k, experts, weights);
                }
                check.checkGate(level, gate, experts, weights);
            }
        }
    }

    /** Writes the experts to which a gate gives weight, by descending weight. */
    private static void rank(Decision decision, int gate, int at, int[] experts, float[] weights) {
        int c = decision.experts().length;
        List<Integer> choices = new ArrayList<>();
        for (int choice = 0; choice < c; choice++) {
            if (decision.weights()[gate * c + choice] > 0) {
                choices.add(choice);
            }
        }
        choices.sort(Comparator.comparing(choice -> -decision.weights()[gate * c + (int) choice]));
        for (int rank = 0; rank < choices.size(); rank++) {
            experts[at + rank] = decision.experts()[choices.get(rank)];
            weights[at + rank] = decision.weights()[gate * c + choices.get(rank)];
        }
    }

    private static StreamExecutionEnvironment environment(Configuration options, int parallelism) {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.configure(options);
        env.setParallelism(parallelism);
        return env;
    }

    private static List<ScoredToken> score(
            GoldenCase golden, float[] x, Configuration options, int parallelism) throws Exception {
        StreamExecutionEnvironment env = environment(options, parallelism);
        MoeResult result =
                MoeLayers.builder(options)
                        .draws(RecordedNoise.draws(golden))
                        .build()
                        .score(tokens(env, golden, x, parallelism));
        return JobOutcomes.of(env, result)
                .checked(new TumblingWindows(new CapacityRule(golden).rowsOfGroup()));
    }

    /** The timestamp of a token is its row, so that a window as long as a group is a group. */
    private static DataStream<Token> tokens(
            StreamExecutionEnvironment env, GoldenCase golden, float[] x, int parallelism) {
        int tokens = golden.integer("tokens");
        int width = x.length / tokens;
        List<Token> rows = new ArrayList<>();
        for (int row = 0; row < tokens; row++) {
            rows.add(
                    new Token(
                            "stream-" + row % 7,
                            row,
                            row,
                            Arrays.copyOfRange(x, row * width, (row + 1) * width)));
        }
        Collections.shuffle(rows, new Random(parallelism));
        return env.fromData(rows, Token.TYPE)
                .rebalance()
                .assignTimestampsAndWatermarks(
                        WatermarkStrategy.<Token>forBoundedOutOfOrderness(Duration.ofDays(1))
                                .withTimestampAssigner((token, at) -> token.timestamp()));
    }

    private static void check(
            GoldenCase golden,
            GoldenBundle layer,
            RoutingConfig routing,
            List<ScoredToken> scored) {
        int k = routing.numExpertsPerTok();
        int tokens = golden.integer("tokens");
        int d = golden.integer("d_model");
        int[] ids = new int[tokens * k];
        int[] dropped = new int[tokens * k];
        float[] weights = new float[tokens * k];
        float[] out = new float[tokens * d];
        int[] executed = new int[routing.numExperts()];
        assertThat(scored).hasSize(tokens);
        boolean reroutes = golden.system().equals("next_expert");
        for (ScoredToken token : scored) {
            int row = (int) token.position();
            if (token.values() != null) { // The case says 0 where no expert ran.
                System.arraycopy(token.values(), 0, out, row * d, d);
            }
            for (int rank = 0; rank < k; rank++) {
                int choice = row * k + rank;
                Outcome outcome = token.layers()[0].outcomes()[rank];
                ids[choice] = token.layers()[0].experts()[rank];
                if (outcome == Outcome.EXECUTED || reroutes && outcome == Outcome.REROUTED) {
                    weights[choice] = token.layers()[0].weights()[rank];
                    executed[ids[choice]]++;
                } else {
                    assertThat(outcome).isEqualTo(Outcome.OVERFLOWED);
                    dropped[choice] = 1;
                    ids[choice] = reroutes ? -1 : ids[choice];
                }
            }
        }
        if (golden.system().equals("expert_choice")) {
            checkExpertChoice(golden, ids, dropped, weights);
        } else {
            golden.assertIds("topk_ids", ids, weights);
            golden.assertIds("topk_dropped", dropped);
            // Residual MoE mixes the experts with a dense MLP: its weights are in the output alone.
            if (!golden.hasTensor("residual.coef_weight")) {
                golden.assertWeights(weights);
            }
            golden.assertTokensPerExpert(executed);
        }
        float[] added = layer.added();
        for (int i = 0; i < out.length; i++) {
            out[i] -= added[i];
        }
        golden.assertOut(out);
    }

    /** By expert, in order of the tokens. */
    private static void checkExpertChoice(
            GoldenCase golden, int[] ids, int[] dropped, float[] weights) {
        int n = golden.integer("num_experts");
        int capacity = golden.integer("capacity");
        int[] expected = golden.ints("ec.token_ids");
        float[] expectedWeights = golden.floats("ec.weights");
        int[] expertsPerToken = new int[ids.length / n];
        for (int expert = 0; expert < n; expert++) {
            TreeMap<Integer, Float> picked = new TreeMap<>();
            for (int choice = 0; choice < ids.length; choice++) {
                if (ids[choice] == expert && dropped[choice] == 0) {
                    picked.put(choice / n, weights[choice]);
                    expertsPerToken[choice / n]++;
                }
            }
            TreeMap<Integer, Float> published = new TreeMap<>();
            for (int pick = expert * capacity; pick < (expert + 1) * capacity; pick++) {
                published.put(expected[pick], expectedWeights[pick]);
            }
            assertThat(picked.keySet()).as("expert %d", expert).isEqualTo(published.keySet());
            for (int token : picked.keySet()) {
                assertThat(picked.get(token)).isCloseTo(published.get(token), within(2e-6f));
            }
        }
        golden.assertIds("experts_per_token", expertsPerToken);
    }

    @AfterAll
    static void report() {
        System.out.printf("golden stream: %d cases, %d passed%n", cases, passed);
    }
}
