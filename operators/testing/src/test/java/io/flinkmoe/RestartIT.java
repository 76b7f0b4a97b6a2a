// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.RouterLogits;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.GatedTokens;
import io.flinkmoe.testing.JobOutcomes;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.StateSink;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateChangelogOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.CheckpointType;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.RecoveryClaimMode;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.runtime.client.JobStatusMessage;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.testutils.CommonTestUtils;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.StringUtils;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Two layers, whose windows are open when the job fails, or is stopped and goes on with another
 * parallelism or state backend: its results and window summaries are bit for bit those of a job
 * that runs through.
 */
class RestartIT {

    private static final int N = 5;
    private static final int K = 2;
    private static final int TOKENS = 1_500;
    private static final Duration WINDOW = Duration.ofMillis(50);

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(3)
                            .build());

    @TempDir private static Path directory;

    private static List<Token> tokens;
    private static Map<Long, String> undisturbed;
    private static Set<WindowSummary> undisturbedSummaries;

    @BeforeAll
    static void runThrough() throws Exception {
        NumberedBundle.write(directory.resolve("bundle"), N, K, 2);
        tokens = tokens();
        prepare();
        GatedTokens.open();
        await(start(options(Backend.HEAP), 2));
        undisturbed = bitsByPosition();
        undisturbedSummaries = summaries();

        Set<Outcome> ofSecondLayer = new HashSet<>();
        for (ScoredToken token : StateSink.ended("scored", ScoredToken.class)) {
            ofSecondLayer.addAll(List.of(token.layers()[1].outcomes()));
        }
        assertThat(ofSecondLayer)
                .isEqualTo(EnumSet.of(Outcome.EXECUTED, Outcome.REROUTED, Outcome.OVERFLOWED));
    }

    @BeforeEach
    void prepareNext() {
        prepare();
    }

    @AfterEach
    void cancelWhatATestThatFailedLeft(@InjectMiniCluster MiniCluster cluster) throws Exception {
        for (JobStatusMessage job : cluster.listJobs().get()) {
            if (!job.getJobState().isGloballyTerminalState()) {
                cluster.cancelJob(job.getJobId()).get();
            }
        }
    }

    private static void prepare() {
        StateSink.clear();
        GatedTokens.use(tokens, TOKENS / 2);
        FailOnce.reset();
    }

    @ParameterizedTest(name = "{0}, parallelism {1}, unaligned checkpoints {2}")
    @CsvSource({"HEAP, 2, false", "ROCKSDB, 3, true"})
    void goesOnFromACheckpointAfterAFailure(
            Backend backend,
            int parallelism,
            boolean unaligned,
            @InjectMiniCluster MiniCluster cluster)
            throws Exception {
        Configuration options = options(backend);
        options.set(CheckpointingOptions.ENABLE_UNALIGNED, unaligned);
        JobClient job = start(options, parallelism);
        awaitFirstPart(job, cluster);
        cluster.triggerCheckpoint(job.getJobID(), CheckpointType.CONFIGURED).get();
        FailOnce.after(50);
        GatedTokens.open();
        await(job);

        assertThat(StateSink.wasRestored("scored")).isTrue();
        if (!unaligned) { // Else some records are not in the sinks' state, but on their way there.
            checkThatTokensWaited();
        }
        checkResults();
    }

    @ParameterizedTest(name = "{0}, parallelism {1}, then {2}, parallelism {3}")
    @CsvSource({"HEAP, 2, HEAP, 3", "HEAP, 2, ROCKSDB, 3", "ROCKSDB, 3, HEAP, 1"})
    void goesOnFromASavepoint(
            Backend backend,
            int parallelism,
            Backend nextBackend,
            int nextParallelism,
            @InjectMiniCluster MiniCluster cluster)
            throws Exception {
        JobClient job = start(options(backend), parallelism);
        awaitFirstPart(job, cluster);
        String savepoint =
                job.stopWithSavepoint(
                                false,
                                directory.resolve("savepoints").toString(),
                                SavepointFormatType.CANONICAL)
                        .get();
        assertThat(StateSink.ended("scored", ScoredToken.class)).isEmpty();
        GatedTokens.open();
        Configuration options = options(nextBackend);
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
        await(start(options, nextParallelism));

        checkThatTokensWaited();
        checkResults();
    }

    /** Two layers. Their exchanges stay aligned; those outside may have records in flight. */
    @ParameterizedTest(name = "{0}, parallelism {1}, then {2}")
    @CsvSource({"HEAP, 2, 3", "ROCKSDB, 3, 2", "HEAP, 3, 1"})
    void goesOnFromAnUnalignedCheckpointAtAnotherParallelism(
            Backend backend,
            int parallelism,
            int nextParallelism,
            @InjectMiniCluster MiniCluster cluster)
            throws Exception {
        Configuration options = options(backend);
        options.set(CheckpointingOptions.ENABLE_UNALIGNED, true);
        JobClient job = start(options, parallelism);
        awaitFirstPart(job, cluster);
        String checkpoint = cancelWithCheckpoint(job, cluster);

        GatedTokens.open();
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, checkpoint);
        await(start(options, nextParallelism));

        checkResults();
    }

    /** A subtask takes over logs that also have changes of keys that it does not own. */
    @Test
    void goesOnAtOtherParallelismsWithALogOfChanges(@InjectMiniCluster MiniCluster cluster)
            throws Exception {
        Configuration options = options(Backend.HEAP);
        options.set(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG, true);
        options.set(StateRecoveryOptions.RESTORE_MODE, RecoveryClaimMode.CLAIM);
        for (int parallelism : new int[] {1, 3, 1, 2}) {
            prepareNext();
            GatedTokens.use(tokens, TOKENS / 5);
            JobClient job = start(options, parallelism);
            awaitFirstPart(job, cluster);
            options.set(StateRecoveryOptions.SAVEPOINT_PATH, cancelWithCheckpoint(job, cluster));
        }
        GatedTokens.open();
        await(start(options, 3));

        checkResults();
    }

    private static String cancelWithCheckpoint(JobClient job, MiniCluster cluster)
            throws Exception {
        String checkpoint = cluster.triggerCheckpoint(job.getJobID()).get();
        job.cancel().get();
        CommonTestUtils.waitForJobStatus(job, List.of(JobStatus.CANCELED));
        return checkpoint;
    }

    @Test
    void aCapacityCanBeAdded(@InjectMiniCluster MiniCluster cluster) throws Exception {
        Configuration dropless = options(Backend.HEAP);
        for (ConfigOption<?> option :
                List.of(
                        MoeOptions.CAPACITY,
                        MoeOptions.CAPACITY_FACTOR,
                        MoeOptions.CAPACITY_ADMISSION,
                        MoeOptions.CAPACITY_ORDER,
                        MoeOptions.CAPACITY_WINDOW_SIZE,
                        MoeOptions.OVERFLOW)) {
            dropless.removeConfig(option);
        }
        JobClient job = start(dropless, 2);
        awaitFirstPart(job, cluster);
        String savepoint =
                job.stopWithSavepoint(
                                false,
                                directory.resolve("savepoints").toString(),
                                SavepointFormatType.CANONICAL)
                        .get();
        GatedTokens.open();
        Configuration options = options(Backend.HEAP);
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
        await(start(options, 3));

        assertThat(bitsByPosition().keySet()).isEqualTo(undisturbed.keySet());
    }

    /** Both layers held tokens in what the job went on from. */
    private static void checkThatTokensWaited() {
        Set<Long> left = new HashSet<>();
        StateSink.restored("scored", ScoredToken.class).forEach(t -> left.add(t.position()));
        List<Set<Long>> routed = List.of(new HashSet<>(), new HashSet<>());
        for (RouterLogits logits : StateSink.restored("logits", RouterLogits.class)) {
            routed.get(logits.layer()).add(logits.position());
        }
        assertThat(left).isNotEmpty().hasSizeLessThan(routed.get(1).size());
        assertThat(routed.get(1)).hasSizeLessThan(routed.get(0).size());
    }

    private static void checkResults() throws IOException {
        assertThat(bitsByPosition()).isEqualTo(undisturbed);
        assertThat(summaries()).isEqualTo(undisturbedSummaries);
    }

    /** All of every scored token, each of which must be there once. */
    private static Map<Long, String> bitsByPosition() throws IOException {
        Map<Long, String> bits = new HashMap<>();
        for (ScoredToken token : StateSink.ended("scored", ScoredToken.class)) {
            DataOutputSerializer out = new DataOutputSerializer(256);
            new ScoredToken.Serializer().serialize(token, out);
            String hex = StringUtils.byteToHexString(out.getCopyOfBuffer());
            assertThat(bits.put(token.position(), hex)).as("%s before", token).isNull();
        }
        assertThat(bits).hasSize(TOKENS);
        return bits;
    }

    /** The summaries of every operator, window and key, which must agree with the tokens. */
    private static Set<WindowSummary> summaries() {
        List<WindowSummary> summaries = StateSink.ended("summaries", WindowSummary.class);
        new JobOutcomes(StateSink.ended("scored", ScoredToken.class), List.of(), summaries)
                .checked(new TumblingWindows(WINDOW.toMillis()));
        assertThat(summaries).doesNotHaveDuplicates();
        return Set.copyOf(summaries);
    }

    private static JobClient start(Configuration options, int parallelism) throws Exception {
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(options);
        env.setParallelism(parallelism);
        MoeResult result =
                MoeLayers.builder(options)
                        .routerLogits()
                        .build()
                        .score(GatedTokens.of(env, WINDOW));
        StateSink.add(
                result.scored().map(new FailOnce()).returns(ScoredToken.TYPE).uid("fail"),
                "scored");
        StateSink.add(result.windowSummaries(), "summaries");
        StateSink.add(result.routerLogits(), "logits");
        return env.executeAsync();
    }

    /**
     * Waits until a barrier that is triggered from now on comes behind the first part, and some
     * tokens are scored. Closed windows are worked off in slices, so the barrier finds the job in
     * the middle of them.
     */
    private static void awaitFirstPart(JobClient job, MiniCluster cluster) throws Exception {
        CommonTestUtils.waitForAllTaskRunning(cluster, job.getJobID(), false);
        GatedTokens.awaitFirstPart();
        FailOnce.awaitFirst();
    }

    private static void await(JobClient job) throws Exception {
        job.getJobExecutionResult().get(1, TimeUnit.MINUTES);
    }

    private static Configuration options(Backend backend) {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, directory.resolve("bundle").toString());
        options.set(MoeOptions.LANES, 4);
        options.set(MoeOptions.BATCH_SIZE, 8);
        options.set(MoeOptions.EXPERT_BATCH_SIZE, 8);
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FACTOR);
        options.set(MoeOptions.CAPACITY_FACTOR, 0.8);
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        options.set(MoeOptions.CAPACITY_ORDER, AdmissionOrder.TOKEN_PRIORITY);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, WINDOW);
        options.set(MoeOptions.OVERFLOW, MoeOptions.OverflowPolicy.NEXT_EXPERT);
        options.set(PipelineOptions.GENERIC_TYPES, false);
        options.set(PipelineOptions.AUTO_GENERATE_UIDS, false);
        backend.chooseIn(options);
        // The only checkpoint is the test's own.
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofHours(1));
        options.set(CheckpointingOptions.ENABLE_CHECKPOINTS_AFTER_TASKS_FINISH, false);
        options.set(
                CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                directory.resolve("checkpoints").toUri().toString());
        options.set(
                CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
        options.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        options.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 1);
        options.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ZERO);
        return options;
    }

    /**
     * Tokens of seven streams as they arrive, less than a window late. Many scores are equal. Since
     * streams are out of order too, a layer lets its tokens go to the next one at many times.
     */
    private static List<Token> tokens() {
        Random random = new Random(3);
        List<Token> tokens = new ArrayList<>();
        Map<Token, Long> arrivals = new HashMap<>();
        for (int i = 0; i < TOKENS; i++) {
            float[] values = new float[N];
            for (int j = 0; j < N; j++) {
                values[j] = random.nextInt(5) / 4f;
            }
            Token token = new Token("stream-" + random.nextInt(7), i, i, values);
            arrivals.put(token, i + (long) random.nextInt((int) WINDOW.toMillis()));
            tokens.add(token);
        }
        tokens.sort(Comparator.comparing(arrivals::get));
        return tokens;
    }

    /** Tells of the first token, and throws once, at the last of so many tokens. */
    private static final class FailOnce implements MapFunction<ScoredToken, ScoredToken> {

        private static final long serialVersionUID = 1L;
        private static final AtomicInteger LEFT = new AtomicInteger();

        private static volatile CompletableFuture<Void> first;

        static void reset() {
            first = new CompletableFuture<>();
        }

        static void awaitFirst() throws Exception {
            first.get(1, TimeUnit.MINUTES);
        }

        static void after(int tokens) {
            LEFT.set(tokens);
        }

        @Override
        public ScoredToken map(ScoredToken token) throws Exception {
            first.complete(null);
            if (LEFT.getAndUpdate(left -> Math.max(0, left - 1)) == 1) {
                throw new Exception("a failure that the test asked for");
            }
            return token;
        }
    }
}
