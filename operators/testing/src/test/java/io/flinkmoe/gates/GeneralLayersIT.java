// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.gates;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.MoeResult;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.config.PlacementOptions.Placement;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.reference.GateResult;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.GatedTokens;
import io.flinkmoe.testing.StateSink;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.testutils.CommonTestUtils;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * General layers drawn at random (gates, slices, lists of experts, dense and sparse, rules, norms,
 * capacities, orders): the stream has the bits of the reference at any parallelism, batching and
 * placement, and after a restart at another parallelism; the reference agrees with an oracle.
 * {@code -Dgeneral.seeds=FROM,TO} draws others.
 */
class GeneralLayersIT {

    private static final int TOKENS = 90;
    private static final Duration WINDOW = Duration.ofMillis(30);

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(4)
                            .build());

    @TempDir private Path directory;

    static List<Long> seeds() {
        String[] range = System.getProperty("general.seeds", "0,7").split(",");
        List<Long> seeds = new ArrayList<>();
        for (long seed = Long.parseLong(range[0]); seed < Long.parseLong(range[1]); seed++) {
            seeds.add(seed);
        }
        return seeds;
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void streamReferenceAndOracleAgree(long seed, @InjectMiniCluster MiniCluster cluster)
            throws Exception {
        Random random = new Random(seed);
        GeneralModel model = new GeneralModel(seed);
        Bundle bundle = model.write(directory.resolve("bundle"));
        List<Token> tokens = tokens(model.inputSize(), random);
        Configuration options = options(bundle, random);
        Capacity capacity = MoeSettings.of(options).capacity();
        Map<Long, String> expected;
        Map<String, WindowCounts> ofGates;
        try (ReferenceModel reference = ReferenceModel.open(bundle, capacity)) {
            ReferenceModel.Result result =
                    reference.forward(GeneralTokens.matrix(tokens), GeneralTokens.metadata(tokens));
            checkOracle(model, capacity, tokens, result);
            expected = bits(tokens, result);
            ofGates = countsOfGates(capacity, tokens, result);
        }

        assertSame(run(options, tokens, random), expected);
        if (!capacity.windows().areBounded()) {
            options.set(PlacementOptions.PLACEMENT, Placement.REPLICATED);
            assertSame(run(options, tokens, random), expected);
            options.set(PlacementOptions.PLACEMENT, Placement.PARTITIONED);
        }
        assertSame(runInTwoParts(options, tokens, random, cluster), expected);
        assertThat(countsOfGates()).isEqualTo(ofGates);
    }

    private static void assertSame(Map<Long, String> found, Map<Long, String> expected) {
        assertThat(found.keySet()).isEqualTo(expected.keySet());
        expected.forEach(
                (position, bits) ->
                        assertThat(found.get(position)).as("token %d", position).isEqualTo(bits));
    }

    /** Tokens of five streams, as they arrive: less than a window out of order. */
    private static List<Token> tokens(int width, Random random) {
        List<Token> tokens = new ArrayList<>();
        Map<Token, Integer> arrivals = new HashMap<>();
        for (int i = 0; i < TOKENS; i++) {
            Token token = GeneralTokens.draw(i, width, random);
            arrivals.put(token, i + random.nextInt((int) WINDOW.toMillis()));
            tokens.add(token);
        }
        tokens.sort(Comparator.comparing(arrivals::get));
        return tokens;
    }

    private Configuration options(Bundle bundle, Random random) {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, bundle.directory().toString());
        options.set(MoeOptions.LANES, 4 + random.nextInt(6));
        options.set(PipelineOptions.GENERIC_TYPES, false);
        options.set(PipelineOptions.AUTO_GENERATE_UIDS, false);
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofHours(1));
        options.set(CheckpointingOptions.ENABLE_CHECKPOINTS_AFTER_TASKS_FINISH, false);
        if (random.nextInt(3) > 0) {
            AdmissionOrder[] orders = {
                AdmissionOrder.POSITION, AdmissionOrder.TOKEN_PRIORITY, AdmissionOrder.GATE_SCORE
            };
            options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FACTOR);
            options.set(MoeOptions.CAPACITY_FACTOR, 0.3 + random.nextInt(3) * 0.3);
            options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
            options.set(MoeOptions.CAPACITY_ORDER, orders[random.nextInt(3)]);
            options.set(MoeOptions.CAPACITY_WINDOW_SIZE, WINDOW);
            if (random.nextBoolean()) {
                options.set(MoeOptions.CAPACITY_WEIGHTS, WeightRule.SURVIVORS);
            }
        }
        return options;
    }

    private static JobClient start(Configuration options, int parallelism) throws Exception {
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(options);
        env.setParallelism(parallelism);
        MoeResult result = MoeLayers.builder(options).build().score(GatedTokens.of(env, WINDOW));
        StateSink.add(result.scored(), "scored");
        StateSink.add(result.windowSummaries(), "summaries");
        return env.executeAsync();
    }

    /** What the summaries say of each of several gates, by layer, window and gate. */
    private static Map<String, WindowCounts> countsOfGates() {
        Map<String, WindowCounts> counts = new HashMap<>();
        for (WindowSummary summary : StateSink.ended("summaries", WindowSummary.class)) {
            if (summary.source() == WindowSummary.Source.GATE) {
                String key = key(summary.layer(), summary.windowStart(), summary.gate());
                counts.merge(key, summary.counts(), WindowCounts::plus);
            }
        }
        return counts;
    }

    private static String key(int layer, long window, int gate) {
        return "layer %d, window %d, gate %d".formatted(layer, window, gate);
    }

    /** The same from the choices of the reference. */
    private static Map<String, WindowCounts> countsOfGates(
            Capacity capacity, List<Token> tokens, ReferenceModel.Result result) {
        Map<String, WindowCounts> counts = new HashMap<>();
        for (int layer = 0; layer < result.layers().size(); layer++) {
            LayerResult ofLayer = result.layers().get(layer);
            int k = ofLayer.outcomes().length / TOKENS;
            for (int gate = 0; gate < ofLayer.gates().size(); gate++) {
                int[] experts = ofLayer.gates().get(gate).experts();
                int ranks = experts.length / TOKENS;
                for (int i = 0; i < experts.length; i++) {
                    int row = i / ranks;
                    Outcome outcome = outcome(ofLayer, row, k, experts[i]);
                    if (outcome != null && capacity.windows().areBounded()) {
                        long window = capacity.windows().startOf(tokens.get(row).timestamp());
                        counts.merge(
                                key(layer, window, gate),
                                WindowCounts.EMPTY.plus(outcome, 1),
                                WindowCounts::plus);
                    }
                }
            }
        }
        return counts;
    }

    /** The outcome of a token's choice of an expert; null if the token has none. */
    private static Outcome outcome(LayerResult layer, int row, int k, int expert) {
        for (int choice = row * k; choice < (row + 1) * k; choice++) {
            boolean exists = layer.outcomes()[choice] != Outcome.NO_CHOICE;
            if (exists && layer.experts()[choice] == expert) { // or both are -1
                return Outcome.ofCode(layer.outcomes()[choice]);
            }
        }
        return null;
    }

    private static void drawBatches(Configuration options, Random random) {
        options.set(MoeOptions.BATCH_SIZE, 1 + random.nextInt(12));
        options.set(MoeOptions.EXPERT_BATCH_SIZE, 1 + random.nextInt(12));
    }

    private static Map<Long, String> run(Configuration options, List<Token> tokens, Random random)
            throws Exception {
        drawBatches(options, random);
        StateSink.clear();
        GatedTokens.use(tokens, TOKENS);
        GatedTokens.open();
        finish(start(options, 1 + random.nextInt(4)));
        return bits();
    }

    /** Stops with a savepoint in the middle, and goes on at another parallelism. */
    private Map<Long, String> runInTwoParts(
            Configuration options, List<Token> tokens, Random random, MiniCluster cluster)
            throws Exception {
        int parallelism = 1 + random.nextInt(4);
        drawBatches(options, random);
        (random.nextBoolean() ? Backend.HEAP : Backend.ROCKSDB).chooseIn(options);
        StateSink.clear();
        GatedTokens.use(tokens, TOKENS / 2);
        JobClient job = start(options, parallelism);
        CommonTestUtils.waitForAllTaskRunning(cluster, job.getJobID(), false);
        GatedTokens.awaitFirstPart();
        String savepoint =
                job.stopWithSavepoint(
                                false,
                                directory.resolve("savepoints").toString(),
                                SavepointFormatType.CANONICAL)
                        .get();
        GatedTokens.open();
        drawBatches(options, random);
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
        finish(start(options, 1 + parallelism % 4));
        return bits();
    }

    private static void finish(JobClient job) throws Exception {
        job.getJobExecutionResult().get(1, TimeUnit.MINUTES);
    }

    /** What the stream answered, by position. */
    private static Map<Long, String> bits() {
        Map<Long, String> bits = new HashMap<>();
        for (ScoredToken token : StateSink.ended("scored", ScoredToken.class)) {
            StringBuilder text = new StringBuilder(bits(token.values()));
            for (Decision layer : token.layers()) {
                text.append(" | ").append(Arrays.toString(layer.experts()));
                text.append(Arrays.toString(layer.outcomes())).append(bits(layer.weights()));
            }
            assertThat(bits.put(token.position(), text.toString())).isNull();
        }
        return bits;
    }

    /** The same of the reference. */
    private static Map<Long, String> bits(List<Token> tokens, ReferenceModel.Result result) {
        Map<Long, String> bits = new HashMap<>();
        int width = result.out().length / TOKENS;
        for (int row = 0; row < TOKENS; row++) {
            float[] out = Arrays.copyOfRange(result.out(), row * width, (row + 1) * width);
            StringBuilder text = new StringBuilder(bits(result.absent()[row] ? null : out));
            for (LayerResult layer : result.layers()) {
                text.append(" | ").append(bits(layer, row));
            }
            bits.put(tokens.get(row).position(), text.toString());
        }
        return bits;
    }

    private static String bits(LayerResult layer, int row) {
        int k = layer.outcomes().length / TOKENS;
        List<Integer> experts = new ArrayList<>();
        List<Outcome> outcomes = new ArrayList<>();
        List<Float> own = new ArrayList<>();
        for (int choice = row * k; choice < (row + 1) * k; choice++) {
            if (layer.outcomes()[choice] != Outcome.NO_CHOICE) {
                experts.add(layer.experts()[choice]);
                outcomes.add(Outcome.ofCode(layer.outcomes()[choice]));
                own.add(layer.weights()[choice]);
            }
        }
        float[] weights = new float[Math.max(1, layer.gates().size()) * experts.size()];
        for (int i = 0; i < own.size() && layer.gates().isEmpty(); i++) {
            weights[i] = own.get(i);
        }
        for (int gate = 0; gate < layer.gates().size(); gate++) {
            GateResult result = layer.gates().get(gate);
            int ranks = result.experts().length / TOKENS;
            for (int rank = row * ranks; rank < (row + 1) * ranks; rank++) {
                if (result.experts()[rank] >= 0) {
                    int place = experts.indexOf(result.experts()[rank]);
                    weights[gate * experts.size() + place] = result.weights()[rank];
                }
            }
        }
        return experts.toString() + outcomes + bits(weights);
    }

    private static String bits(float[] values) {
        if (values == null) {
            return "none";
        }
        int[] bits = new int[values.length];
        for (int i = 0; i < bits.length; i++) {
            bits[i] = Float.floatToRawIntBits(values[i] + 0f); // one zero of both
        }
        return Arrays.toString(bits);
    }

    private static void checkOracle(
            GeneralModel model,
            Capacity capacity,
            List<Token> tokens,
            ReferenceModel.Result result) {
        List<GeneralOracle.State> states = new GeneralOracle(model, capacity).run(tokens);
        LayerResult last = result.layers().get(result.layers().size() - 1);
        int k = last.outcomes().length / TOKENS;
        for (int row = 0; row < TOKENS; row++) {
            GeneralOracle.State state = states.get(row);
            assertThat(result.absent()[row]).as("row %d", row).isEqualTo(state.absent);
            int width = result.out().length / TOKENS;
            for (int i = 0; i < width && !state.absent; i++) {
                assertThat((double) result.out()[row * width + i])
                        .as("row %d, value %d", row, i)
                        .isCloseTo(
                                state.values[i],
                                within(1e-4 * Math.max(1, Math.abs(state.values[i]))));
            }
            Map<Integer, Outcome> outcomes = new HashMap<>();
            for (int choice = row * k; choice < (row + 1) * k; choice++) {
                if (last.outcomes()[choice] != Outcome.NO_CHOICE && last.experts()[choice] >= 0) {
                    outcomes.put(last.experts()[choice], Outcome.ofCode(last.outcomes()[choice]));
                }
            }
            assertThat(outcomes).as("row %d", row).isEqualTo(state.outcomes);
            checkWeights(last, row, state);
        }
    }

    private static void checkWeights(LayerResult layer, int row, GeneralOracle.State state) {
        for (int gate = 0; gate < layer.gates().size(); gate++) {
            GateResult result = layer.gates().get(gate);
            int ranks = result.experts().length / TOKENS;
            double[] weights = new double[state.weights.get(gate).length];
            for (int rank = row * ranks; rank < (row + 1) * ranks; rank++) {
                if (result.experts()[rank] >= 0) {
                    weights[result.experts()[rank]] = result.weights()[rank];
                }
            }
            assertThat(weights)
                    .as("row %d, gate %d", row, gate)
                    .containsExactly(state.weights.get(gate), within(1e-5));
        }
    }
}
