package io.flinkmoe.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.RouterSettings;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.ExpertInputSerializer;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.ResidualBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.combine.Combine;
import io.flinkmoe.runtime.expert.ExpertHarness;
import io.flinkmoe.runtime.ingest.Ingest;
import io.flinkmoe.runtime.router.HealthWindows;
import io.flinkmoe.runtime.router.Router;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the operators report: the figures themselves. */
class OperatorMetricsTest {

    private static final int N = 4;
    private static final int K = 2;
    private static final TumblingWindows MINUTE = new TumblingWindows(60_000);
    private static final EvenKeys EXPERTS = new EvenKeys(N);
    private static final EvenKeys LANES = new EvenKeys(2);

    private final ReportedMetrics metrics = new ReportedMetrics();

    @TempDir private Path directory;
    private LocalBundle bundle;

    @BeforeEach
    void writeBundle() {
        use(TinyBundle.write(directory.resolve("bundle"), N, K, 1));
    }

    private void use(Bundle written) {
        bundle = new LocalBundle(written.directory().toString(), written.spec().version());
    }

    @Test
    void ingestCountsTokensAndDeadLetters() throws Exception {
        Ingest ingest = new Ingest(2, 2, 3, Duration.ofMillis(10), null, Duration.ZERO);
        try (var harness =
                new OneInputStreamOperatorTestHarness<Arrival, TokenBlock>(
                        ingest, metrics.environment(1))) {
            harness.open();
            for (int i = 0; i < 4; i++) {
                Token token = new Token("s", i, 0, new float[2]);
                harness.processElement(new StreamRecord<>(Arrival.of(token)));
            }
            Token bad = new Token("s", 4, 0, new float[1]);
            harness.processElement(
                    new StreamRecord<>(Arrival.of(DeadLetter.of(bad, "is too narrow"))));
            harness.prepareSnapshotPreBarrier(1);
        }

        assertThat(metrics.counter("moe.ingest.numTokensIn")).isEqualTo(4);
        assertThat(metrics.counter("moe.ingest.numTokensDeadLettered")).isEqualTo(1);
        assertThat(metrics.histogram("moe.ingest.batchSize").getStatistics().getValues())
                .containsExactly(3, 1);
    }

    @Test
    void routerCountsTokensAndKnowsTheHealthOfTheLastWindow() throws Exception {
        Capacity capacity = Capacity.firstCome(MINUTE, 100);
        try (var harness = router(capacity)) {
            send(harness, List.of(block(new long[] {0, 1, 60_000}, 0, 0, 3)));
            assertThat(metrics.gauge("moe.router.loadCv2").doubleValue()).isNaN();

            harness.processWatermark(59_999);
            send(harness, List.of(block(new long[] {2}, 1)));

            // Experts 0 and 1 twice each: the ones after the best are taken in order.
            assertThat(metrics.gauge("moe.router.loadCv2").doubleValue())
                    .isCloseTo(1, within(1e-6));
            assertThat(metrics.gauge("moe.router.deadExperts").intValue()).isEqualTo(2);
            assertThat(metrics.gauge("moe.router.expert.1.share").doubleValue()).isEqualTo(0.5);
            assertThat(metrics.gauge("moe.router.expert.3.share").doubleValue()).isZero();
            assertThat(metrics.gauge("moe.router.routerEntropy").doubleValue()).isPositive();
        }

        assertThat(metrics.counter("moe.router.numTokensIn")).isEqualTo(4);
        assertThat(metrics.counter("moe.router.numTokensRouted")).isEqualTo(4);
        assertThat(metrics.counter("moe.router.numTokensLate")).isEqualTo(1);
        assertThat(metrics.histogram("moe.router.batchSize").getStatistics().getValues())
                .containsExactly(3, 1);
        assertThat(metrics.histogram("moe.router.routingTimeUs").getCount()).isEqualTo(2);
    }

    @Test
    void routerWithoutWindowsKnowsTheHealthOfSoManyTokens() throws Exception {
        try (var harness = router(null)) {
            for (int tokens = 0; tokens < HealthWindows.TOKENS; tokens += 8) {
                assertThat(metrics.gauge("moe.router.deadExperts").doubleValue()).isNaN();
                send(harness, List.of(block(new long[8], 0, 1, 2, 3, 0, 1, 2, 3)));
            }
            assertThat(metrics.gauge("moe.router.deadExperts").intValue()).isZero();
        }
    }

    @Test
    void routerCountsWhatTheModelCannotRead() throws Exception {
        use(TinyBundle.writeWithStrictEncoder(directory.resolve("strict"), N, K));
        try (var harness = router(null)) {
            send(
                    harness,
                    List.of(
                            block(new long[2], 0, 0)
                                    .withVectors(
                                            Floats.toBytes(
                                                    new float[] {1, 0, 0, 0, 99, 0, 0, 0}))));
        }

        assertThat(metrics.counter("moe.router.numTokensIn")).isEqualTo(2);
        assertThat(metrics.counter("moe.router.numTokensRouted")).isEqualTo(1);
        assertThat(metrics.counter("moe.router.numTokensDeadLettered")).isEqualTo(1);
    }

    @Test
    void expertCountsByExpertWhatBecameOfItsTokens() throws Exception {
        try (var harness = expert(Capacity.firstCome(MINUTE, 2), 0)) {
            send(harness, List.of(block(3, 0, 0, 1, 2, 60_000)));
            harness.processWatermark(59_999);
            send(harness, List.of(block(3, 1, 3, 60_001), block(0, 2, 60_000)));
            assertThat(metrics.gauge("moe.expert.0.tokensWaiting").intValue()).isEqualTo(1);
            harness.prepareSnapshotPreBarrier(1);
            assertThat(metrics.gauge("moe.expert.0.tokensWaiting").intValue()).isZero();
        }

        assertThat(metrics.counter("moe.expert.3.numTokensIn")).isEqualTo(6);
        assertThat(metrics.counter("moe.expert.3.numTokensExecuted")).isEqualTo(4);
        assertThat(metrics.counter("moe.expert.3.numTokensOverflowed")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.3.numTokensLate")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.3.numTokensFailed")).isZero();
        assertThat(metrics.counter("moe.expert.0.numTokensExecuted")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.1.numTokensIn")).isZero();
        assertThat(metrics.histogram("moe.expert.3.batchSize").getStatistics().getValues())
                .containsExactly(3, 1);
        assertThat(metrics.histogram("moe.expert.3.inferenceTimeUs").getCount()).isEqualTo(2);
        assertThat(metrics.histogram("moe.expert.3.queueTimeUs").getCount()).isEqualTo(2);
    }

    @Test
    void expertCountsAnswersThatAreNotFiniteAsFailed() throws Exception {
        try (var harness = expert(null, 0)) {
            DispatchBlock block = block(1, 0, 0, 0);
            byte[] huge = Floats.toBytes(new float[] {1, 1, 1, 1, 3e38f, 0, 0, 0});
            send(
                    harness,
                    List.of(
                            new DispatchBlock(
                                    1,
                                    0,
                                    0,
                                    0,
                                    block.choices(),
                                    new long[2],
                                    Priorities.NONE,
                                    Vectors.of(huge))));
            harness.prepareSnapshotPreBarrier(1);
        }

        assertThat(metrics.counter("moe.expert.1.numTokensExecuted")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.1.numTokensFailed")).isEqualTo(1);
    }

    @Test
    void expertThatPrioritizesReportsWhatItHolds() throws Exception {
        Capacity capacity =
                Capacity.prioritized(MINUTE, CapacityFormula.fixed(1), AdmissionOrder.POSITION);
        try (var harness = expert(capacity, 0)) {
            send(harness, List.of(prioritized(2, 0, 5, 6, 7)));
            assertThat(metrics.gauge("moe.expert.2.tokensWaiting").intValue()).isEqualTo(3);
            harness.processWatermark(59_999);
            assertThat(metrics.gauge("moe.expert.2.tokensWaiting").intValue()).isZero();
        }

        assertThat(metrics.counter("moe.expert.2.numTokensExecuted")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.2.numTokensOverflowed")).isEqualTo(2);
    }

    @Test
    void processReportsItsOpenModels() throws Exception {
        String group = "moe.model." + bundle.version();
        try (var harness = expert(null, 0)) {
            assertThat(metrics.gauge(group + ".sessionsLoaded").intValue())
                    .isGreaterThanOrEqualTo(N);
            assertThat(metrics.gauge(group + ".sessionBytesLoaded").longValue())
                    .isGreaterThan(N * 100L);
        }
    }

    @Test
    void combineCountsOutcomesAndWhatWaits() throws Exception {
        Combine combine = new Combine(0, N, LANES, null);
        try (var harness = new CombineHarness(combine)) {
            harness.open();
            harness.setProcessingTime(1_500);
            TokenBlock tokens = block(new long[] {500, 700}, 0, 1);
            Choices choices =
                    new Choices(
                            K,
                            new int[] {0, 1, 1, 0},
                            new float[4],
                            new byte[] {Choices.PENDING, Outcome.LATE.code(), Choices.PENDING, 2});
            send1(combine, new StreamRecord<>(new ResidualBlock(0, tokens, choices)));
            assertThat(metrics.gauge("moe.combine.tokensWaiting").intValue()).isEqualTo(2);

            send2(combine, answer(0, Outcome.EXECUTED));
            send2(combine, answer(2, Outcome.FAILED));
            assertThat(metrics.gauge("moe.combine.tokensWaiting").intValue()).isZero();
        }

        assertThat(metrics.counter("moe.combine.numTokensOut")).isEqualTo(2);
        assertThat(metrics.counter("moe.combine.numChoicesExecuted")).isEqualTo(1);
        assertThat(metrics.counter("moe.combine.numChoicesRerouted")).isZero();
        assertThat(metrics.counter("moe.combine.numChoicesOverflowed")).isEqualTo(1);
        assertThat(metrics.counter("moe.combine.numChoicesLate")).isEqualTo(1);
        assertThat(metrics.counter("moe.combine.numChoicesFailed")).isEqualTo(1);
        assertThat(metrics.histogram("moe.combine.endToEndLatencyMs").getStatistics().getMax())
                .isEqualTo(1_000);
    }

    /** Flink's own harness for two keyed inputs takes no environment. */
    private final class CombineHarness extends AbstractStreamOperatorTestHarness<TokenBlock> {
        CombineHarness(Combine combine) throws Exception {
            super(combine, metrics.environment(LANES.maxParallelism()));
            KeySelector<ResidualBlock, Integer> first = block -> LANES.keyOf(block.tokens().lane());
            KeySelector<ContributionBlock, Integer> second = block -> LANES.keyOf(block.lane());
            config.setStatePartitioner(0, first);
            config.setStatePartitioner(1, second);
            config.setStateKeySerializer(IntSerializer.INSTANCE);
            config.serializeAllConfigs();
        }
    }

    private static void send1(Combine combine, StreamRecord<ResidualBlock> block) throws Exception {
        combine.setKeyContextElement1(block);
        combine.processElement1(block);
    }

    private static void send2(Combine combine, StreamRecord<ContributionBlock> block)
            throws Exception {
        combine.setKeyContextElement2(block);
        combine.processElement2(block);
    }

    private static StreamRecord<ContributionBlock> answer(int choice, Outcome outcome) {
        boolean executed = outcome == Outcome.EXECUTED;
        return new StreamRecord<>(
                new ContributionBlock(
                        0,
                        0,
                        0,
                        new int[] {choice},
                        new byte[] {outcome.code()},
                        new float[0],
                        Vectors.of(new byte[executed ? N * Float.BYTES : 0])));
    }

    private KeyedOneInputStreamOperatorTestHarness<Integer, TokenBlock, ExpertInput> router(
            Capacity capacity) throws Exception {
        var harness =
                new KeyedOneInputStreamOperatorTestHarness<>(
                        new Router(bundle, 0, 8, LANES, RouterSettings.of(capacity)),
                        (TokenBlock block) -> LANES.keyOf(block.lane()),
                        Types.INT,
                        metrics.environment(LANES.maxParallelism()));
        harness.setup(new ExpertInputSerializer());
        harness.open();
        return harness;
    }

    private KeyedOneInputStreamOperatorTestHarness<Integer, ExpertInput, ContributionBlock> expert(
            Capacity capacity, int round) throws Exception {
        var harness =
                new KeyedOneInputStreamOperatorTestHarness<>(
                        ExpertHarness.expert(
                                bundle, round, EXPERTS, capacity, MoeOptions.OnError.FAIL),
                        (ExpertInput input) -> EXPERTS.keyOf(input.expert()),
                        Types.INT,
                        metrics.environment(EXPERTS.maxParallelism()));
        harness.setup(new ContributionBlock.Serializer());
        harness.open();
        return harness;
    }

    private static <T> void send(
            KeyedOneInputStreamOperatorTestHarness<Integer, T, ?> harness, List<T> inputs)
            throws Exception {
        for (T input : inputs) {
            harness.processElement(new StreamRecord<>(input));
        }
    }

    /** Tokens that prefer the given experts. */
    private static TokenBlock block(long[] timestamps, int... preferred) {
        float[] rows = new float[preferred.length * N];
        String[] streams = new String[preferred.length];
        long[] positions = new long[preferred.length];
        for (int row = 0; row < preferred.length; row++) {
            rows[row * N + preferred[row]] = 3;
            streams[row] = "s";
            positions[row] = row;
        }
        return new TokenBlock(
                0, streams, positions, timestamps, Floats.toBytes(rows), new Choices[0]);
    }

    private static DispatchBlock block(int expert, long batch, long... timestamps) {
        int[] choices = new int[timestamps.length];
        for (int i = 0; i < choices.length; i++) {
            choices[i] = i;
        }
        return new DispatchBlock(
                expert,
                0,
                batch,
                0,
                choices,
                timestamps,
                Priorities.NONE,
                Vectors.of(new byte[timestamps.length * N * Float.BYTES]));
    }

    private static DispatchBlock prioritized(int expert, long batch, long... timestamps) {
        DispatchBlock plain = block(expert, batch, timestamps);
        Priorities priorities = Priorities.ofRows(timestamps.length, 1);
        for (int row = 0; row < timestamps.length; row++) {
            priorities.streams()[row] = "s";
            priorities.positions()[row] = row;
        }
        return new DispatchBlock(
                expert, 0, batch, 0, plain.choices(), timestamps, priorities, plain.vectors());
    }
}
