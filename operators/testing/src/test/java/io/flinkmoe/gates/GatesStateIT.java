// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.gates;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.MoeResult;
import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.GatedTokens;
import io.flinkmoe.testing.JobOutcomes;
import io.flinkmoe.testing.StateSink;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
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
 * General layers with several gates: from an unaligned checkpoint to another parallelism, with a
 * capacity that a savepoint lacks, with late tokens, and with admission on arrival. {@code
 * -Dgates.seeds=FROM,TO} draws others.
 */
class GatesStateIT {

    private static final int TOKENS = 200;
    private static final Duration WINDOW = Duration.ofMillis(40);

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(4)
                            .build());

    @TempDir private Path directory;

    static List<Long> seeds() {
        String[] range = System.getProperty("gates.seeds", "0,12").split(",");
        List<Long> seeds = new ArrayList<>();
        for (long seed = Long.parseLong(range[0]); seed < Long.parseLong(range[1]); seed++) {
            if (new GeneralModel(seed).layers.stream().anyMatch(l -> l.gates().size() > 1)) {
                seeds.add(seed);
            }
        }
        return seeds;
    }

    static List<Long> seedsOfOneLayer() {
        return seeds().stream().filter(s -> new GeneralModel(s).layers.size() == 1).toList();
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void goesOnFromAnUnalignedCheckpoint(long seed, @InjectMiniCluster MiniCluster cluster)
            throws Exception {
        Configuration options = options(seed);
        capacity(options, seed);
        prepare(seed);
        GatedTokens.open();
        finish(start(options, 2));
        Map<Long, ScoredToken> scored = scored();
        Map<Long, DecisionRecord> decisions = decisions();
        Set<WindowSummary> summaries = summaries();

        prepare(seed);
        JobClient job = start(options, 2);
        awaitFirstPart(job, cluster);
        String checkpoint = cluster.triggerCheckpoint(job.getJobID()).get();
        job.cancel().get();
        CommonTestUtils.waitForJobStatus(job, List.of(JobStatus.CANCELED));
        GatedTokens.open();
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, checkpoint);
        finish(start(options, seed % 2 == 0 ? 3 : 1));

        assertThat(scored()).isEqualTo(scored);
        assertThat(decisions()).isEqualTo(decisions);
        assertThat(summaries()).isEqualTo(summaries);
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void aCapacityCanBeAdded(long seed, @InjectMiniCluster MiniCluster cluster) throws Exception {
        Configuration options = options(seed);
        prepare(seed);
        JobClient job = start(options, 2);
        awaitFirstPart(job, cluster);
        String savepoint =
                job.stopWithSavepoint(
                                false,
                                directory.resolve("savepoints").toString(),
                                SavepointFormatType.CANONICAL)
                        .get();
        GatedTokens.open();
        capacity(options, seed);
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
        finish(start(options, 3));

        assertThat(scored()).hasSize(TOKENS);
        checkThatDecisionsAreThoseOfTheTokens();
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void lateTokensHaveNoOutputWithoutAResidual(long seed) throws Exception {
        Configuration options = options(seed);
        capacity(options, seed);
        options.set(PipelineOptions.AUTO_GENERATE_UIDS, true);
        GeneralModel model = new GeneralModel(seed);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(options);
        env.setParallelism(2);
        List<Arrival> arrivals = new ArrayList<>();
        for (Token token : tokens(seed)) {
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
                JobOutcomes.of(env, result).checked(new TumblingWindows(WINDOW.toMillis()));

        assertThat(scored).hasSize(TOKENS);
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
        Configuration options = options(seed);
        options.set(MoeOptions.LANES, 1);
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 5);
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.FIRST_COME);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, WINDOW);
        options.set(
                MoeOptions.CAPACITY_WEIGHTS,
                seed % 2 == 0 ? WeightRule.SURVIVORS : WeightRule.ROUTER);
        prepare(seed);
        GatedTokens.open();
        finish(start(options, 1));

        Map<Long, ScoredToken> scored = scored();
        List<Token> tokens = tokens(seed);
        Bundle bundle = Bundle.read(directory.resolve("bundle"));
        try (ReferenceModel model =
                ReferenceModel.open(bundle, MoeSettings.of(options).capacity())) {
            ReferenceModel.Result result = model.forward(matrix(tokens), metadata(tokens));
            LayerResult layer = result.layers().get(0);
            int k = layer.outcomes().length / TOKENS;
            int width = result.out().length / TOKENS;
            for (int row = 0; row < TOKENS; row++) {
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
        checkThatDecisionsAreThoseOfTheTokens();
    }

    /** The decision log and the scored tokens say the same. */
    private static void checkThatDecisionsAreThoseOfTheTokens() {
        Map<Long, DecisionRecord> decisions = decisions();
        scored().forEach(
                        (position, token) -> {
                            DecisionRecord entry = decisions.get(position);
                            for (int i = 0; i < token.layers().length; i++) {
                                Decision decision = token.layers()[i];
                                DecisionRecord.Layer layer = entry.layers()[i];
                                assertThat(layer.experts()).isEqualTo(decision.experts());
                                assertThat(layer.outcomes()).isEqualTo(decision.outcomes());
                                checkWeights(decision, layer);
                            }
                        });
    }

    private static void checkWeights(Decision decision, DecisionRecord.Layer layer) {
        int k = decision.experts().length;
        float[] weights = new float[decision.weights().length];
        for (int gate = 0; gate < layer.gates().length; gate++) {
            int[] experts = layer.gates()[gate].experts();
            for (int rank = 0; rank < experts.length; rank++) {
                for (int choice = 0; choice < k && experts[rank] >= 0; choice++) {
                    if (decision.experts()[choice] == experts[rank]) {
                        weights[gate * k + choice] = layer.gates()[gate].weights()[rank];
                    }
                }
            }
        }
        assertThat(weights).isEqualTo(decision.weights());
    }

    private static boolean isLate(long position) {
        return position % 10 == 9;
    }

    private Configuration options(long seed) throws Exception {
        Bundle bundle = new GeneralModel(seed).write(directory.resolve("bundle"));
        Random random = new Random(seed);
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, bundle.directory().toString());
        options.set(MoeOptions.LANES, 4);
        options.set(MoeOptions.BATCH_SIZE, 1 + random.nextInt(12));
        options.set(MoeOptions.EXPERT_BATCH_SIZE, 1 + random.nextInt(12));
        options.set(PipelineOptions.GENERIC_TYPES, false);
        options.set(PipelineOptions.AUTO_GENERATE_UIDS, false);
        (random.nextBoolean() ? Backend.HEAP : Backend.ROCKSDB).chooseIn(options);
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofHours(1));
        options.set(CheckpointingOptions.ENABLE_CHECKPOINTS_AFTER_TASKS_FINISH, false);
        options.set(CheckpointingOptions.ENABLE_UNALIGNED, true);
        options.set(
                CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                directory.resolve("checkpoints").toUri().toString());
        options.set(
                CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
        return options;
    }

    private static void capacity(Configuration options, long seed) {
        AdmissionOrder[] orders = {
            AdmissionOrder.POSITION,
            AdmissionOrder.TOKEN_PRIORITY,
            AdmissionOrder.GATE_SCORE,
            AdmissionOrder.RANDOM
        };
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FACTOR);
        options.set(MoeOptions.CAPACITY_FACTOR, 0.5);
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        options.set(MoeOptions.CAPACITY_ORDER, orders[(int) (seed % orders.length)]);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, WINDOW);
        options.set(
                MoeOptions.CAPACITY_WEIGHTS,
                seed % 3 == 0 ? WeightRule.ROUTER : WeightRule.SURVIVORS);
    }

    private static void prepare(long seed) {
        StateSink.clear();
        GatedTokens.use(tokens(seed), TOKENS / 2);
    }

    private static List<Token> tokens(long seed) {
        Random random = new Random(seed);
        int width = new GeneralModel(seed).inputSize();
        List<Token> tokens = new ArrayList<>();
        for (int i = 0; i < TOKENS; i++) {
            float[] values = new float[width];
            for (int j = 0; j < width; j++) {
                values[j] = (float) random.nextGaussian();
            }
            tokens.add(new Token("s" + random.nextInt(5), i, i, values));
        }
        return tokens;
    }

    private static float[] matrix(List<Token> tokens) {
        int width = tokens.get(0).values().length;
        float[] x = new float[tokens.size() * width];
        for (int row = 0; row < tokens.size(); row++) {
            System.arraycopy(tokens.get(row).values(), 0, x, row * width, width);
        }
        return x;
    }

    private static TokenMetadata metadata(List<Token> tokens) {
        return new TokenMetadata(
                tokens.stream().mapToLong(Token::timestamp).toArray(),
                tokens.stream().map(Token::stream).toArray(String[]::new),
                tokens.stream().mapToLong(Token::position).toArray());
    }

    private static JobClient start(Configuration options, int parallelism) throws Exception {
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(options);
        env.setParallelism(parallelism);
        MoeResult result =
                MoeLayers.builder(options).decisionLog().build().score(GatedTokens.of(env, WINDOW));
        StateSink.add(result.scored(), "scored");
        StateSink.add(result.decisions(), "decisions");
        StateSink.add(result.windowSummaries(), "summaries");
        return env.executeAsync();
    }

    private static void awaitFirstPart(JobClient job, MiniCluster cluster) throws Exception {
        CommonTestUtils.waitForAllTaskRunning(cluster, job.getJobID(), false);
        GatedTokens.awaitFirstPart();
    }

    private static void finish(JobClient job) throws Exception {
        job.getJobExecutionResult().get(1, TimeUnit.MINUTES);
    }

    private static Map<Long, ScoredToken> scored() {
        Map<Long, ScoredToken> scored = new HashMap<>();
        for (ScoredToken token : StateSink.ended("scored", ScoredToken.class)) {
            assertThat(scored.put(token.position(), token)).isNull();
        }
        return scored;
    }

    private static Map<Long, DecisionRecord> decisions() {
        Map<Long, DecisionRecord> decisions = new HashMap<>();
        for (DecisionRecord entry : StateSink.ended("decisions", DecisionRecord.class)) {
            assertThat(decisions.put(entry.position(), entry)).isNull();
        }
        return decisions;
    }

    /** The summaries, which must agree with the tokens. */
    private static Set<WindowSummary> summaries() {
        List<WindowSummary> summaries = StateSink.ended("summaries", WindowSummary.class);
        new JobOutcomes(StateSink.ended("scored", ScoredToken.class), List.of(), summaries)
                .checked(new TumblingWindows(WINDOW.toMillis()));
        assertThat(summaries).doesNotHaveDuplicates();
        return Set.copyOf(summaries);
    }
}
