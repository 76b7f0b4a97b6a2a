// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.BrokenModels;
import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.OperatorHarnesses;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.util.OutputTag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Values that are not finite, operator by operator, and the metric of each. */
class NotFiniteTest {

    private static final int N = 3;
    private static final TumblingWindows WINDOWS = new TumblingWindows(100);

    @TempDir private Path directory;

    private final ReportedMetrics metrics = new ReportedMetrics();

    private OperatorHarnesses harnesses(TinyBundle.Builder bundle) throws Exception {
        return OperatorHarnesses.of(
                        bundle.writeTo(directory.resolve("bundle"))
                                .options()
                                .set(MoeOptions.LANES, 1))
                .metrics(metrics.task());
    }

    private static TinyBundle.Builder bundle() {
        return TinyBundle.builder()
                .numExperts(N)
                .topK(2)
                .hiddenSize(N)
                .router(BrokenModels.maskingRouter(N))
                .experts(FixedExperts.numbered());
    }

    @Test
    void aRouterRejectsWhatTheEncoderCannotEncodeAndCountsOnlyTheOthers() throws Exception {
        OperatorHarnesses harnesses =
                harnesses(bundle().encoder(BrokenModels.nanAt(7, N))).capacity(first(5));
        try (var harness = harnesses.router(0)) {
            harness.send(
                    tokens(new float[] {1, 2, 3}, new float[] {1, 7, 3}, new float[] {3, 2, 1}));
            harness.send(tokens(new float[] {7, 7, 7}));
            harness.processWatermark(99);

            List<DeadLetter> letters = values(harness, DeadLetter.OUTPUT);
            assertThat(letters)
                    .extracting(DeadLetter::reason)
                    .containsExactly(
                            "the encoder's output for position 1 of stream s is not finite",
                            "the encoder's output for position 0 of stream s is not finite");
            assertThat(letters.get(0).token().values()).containsExactly(1, 7, 3);
            assertThat(harness.routed()).hasSize(1);
            assertThat(harness.routed().get(0).tokens().positions()).containsExactly(0, 2);
            assertThat(values(harness, WindowSummary.SUMMARIES))
                    .extracting(WindowSummary::counts)
                    .containsExactly(new WindowCounts(4, 0, 0, 0, 0, 0, 0, 0, 2));
        }
        assertThat(metrics.counter("moe.router.numNonFiniteEncodings")).isEqualTo(2);
        assertThat(metrics.counter("moe.router.numTokensDeadLettered")).isEqualTo(2);
        assertThat(metrics.counter("moe.router.numTokensRouted")).isEqualTo(2);
    }

    /** However many come: it is not the model that throws. */
    @Test
    void aRouterNeverFailsTheJobOverEncodings() throws Exception {
        try (var harness = harnesses(bundle().encoder(BrokenModels.nanAt(0, N))).router(0)) {
            for (int token = 0; token < 1_100; token++) {
                harness.send(tokens(new float[N]));
            }
            assertThat(values(harness, DeadLetter.OUTPUT)).hasSize(1_100);
        }
    }

    @Test
    void aRouterFailsTokensOfASharedExpertAndPassesTheirResidual() throws Exception {
        TinyBundle.Builder bundle =
                bundle().sharedExpert((expert, width) -> BrokenModels.nanAt(5, width));
        try (var harness = harnesses(bundle).capacity(first(5)).router(0)) {
            harness.send(tokens(new float[] {5, 2, 3}, new float[] {1, 2, 3}));
            harness.processWatermark(99);

            RoutedBlock block = harness.routed().get(0);
            assertThat(Floats.toFloats(block.tokens().vectors())).containsExactly(5, 2, 3, 2, 4, 6);
            assertThat(block.choices().outcomes())
                    .containsExactly(
                            Outcome.FAILED.code(),
                            Outcome.FAILED.code(),
                            Choices.PENDING,
                            Choices.PENDING);
            assertThat(block.choices().experts()).containsExactly(-1, -1, 2, 1);
            assertThat(block.choices().weights()).startsWith(0, 0);
            assertThat(harness.candidates()).extracting(CandidateBlock::rows).containsExactly(1, 1);
            assertThat(values(harness, WindowSummary.SUMMARIES))
                    .extracting(WindowSummary::counts)
                    .containsExactly(new WindowCounts(4, 0, 0, 0, 0, 0, 0, 2, 2));
        }
        assertThat(metrics.counter("moe.router.numNonFiniteSharedOutputs")).isEqualTo(1);
        assertThat(metrics.counter("moe.router.numNonFiniteLogits")).isZero();
    }

    @Test
    void aRouterRoutesPastMaskedExpertsAndFailsTokensThatHaveTooFew() throws Exception {
        try (var harness = harnesses(bundle()).router(0)) {
            harness.send(tokens(new float[] {-1, 2, 3}, new float[] {-1, -2, 3}));
            Choices choices = harness.routed().get(0).choices();
            assertThat(choices.experts()).containsExactly(2, 1, -1, -1);
            assertThat(choices.outcomes())
                    .containsExactly(
                            Choices.PENDING,
                            Choices.PENDING,
                            Outcome.FAILED.code(),
                            Outcome.FAILED.code());
        }
        assertThat(metrics.counter("moe.router.numNonFiniteLogits")).isEqualTo(1);
        assertThat(metrics.gauge("moe.router.routerEntropy").doubleValue()).isNaN();
    }

    @Test
    void theHealthOfARouterThatMasksIsFinite() throws Exception {
        try (var harness = harnesses(bundle()).capacity(first(5)).router(0)) {
            harness.send(tokens(new float[] {-1, 2, 3}));
            harness.processWatermark(99);
            assertThat(metrics.gauge("moe.router.routerEntropy").doubleValue()).isPositive();
            assertThat(metrics.gauge("moe.router.routerZLoss").doubleValue()).isPositive();
        }
    }

    @Test
    void anExpertTellsWhatItAnsweredFromWhatItThrewAt() throws Exception {
        try (var harness =
                harnesses(bundle().expert(1, (expert, width) -> BrokenModels.nanAt(4, width)))
                        .expert(0)) {
            harness.send(
                    new ExpertRows(
                            1,
                            0,
                            0,
                            new int[] {0, 2},
                            Vectors.of(Floats.toBytes(new float[] {1, 4, 1, 1, 1, 1}))));
            harness.setProcessingTime(1_000);
            assertThat(harness.extractOutputValues().get(0).outcomes())
                    .containsExactly(Outcome.FAILED.code(), Outcome.EXECUTED.code());
        }
        assertThat(metrics.counter("moe.expert.1.numTokensFailed")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.1.numNonFiniteOutputs")).isEqualTo(1);
    }

    @Test
    void aCombineFailsTheExecutedChoicesOfASumThatOverflows() throws Exception {
        try (var harness = harnesses(bundle()).capacity(first(5)).combine(0)) {
            float[] huge = {3e38f, 0, -3e38f};
            harness.send(new RoutedBlock(0, tokens(huge, huge, huge), choices(3, 0.75f)));
            harness.send(answer(Outcome.EXECUTED, 0, huge));
            harness.send(answer(Outcome.OVERFLOWED, 1));
            harness.send(answer(Outcome.EXECUTED, 2, -3e38f, 0, 3e38f));
            harness.send(answer(Outcome.EXECUTED, 3, -3e38f, 0, 3e38f));
            harness.send(answer(Outcome.FAILED, 4));
            harness.send(answer(Outcome.EXECUTED, 5, 1, 2, 3));
            harness.processBothWatermarks(new Watermark(99));

            TokenBlock tokens = harness.extractOutputValues().get(0);
            assertThat(tokens.layers()[0].outcomes())
                    .containsExactly(
                            Outcome.FAILED.code(),
                            Outcome.OVERFLOWED.code(),
                            Outcome.EXECUTED.code(),
                            Outcome.EXECUTED.code(),
                            Outcome.FAILED.code(),
                            Outcome.EXECUTED.code());
            float[] y = Floats.toFloats(tokens.vectors());
            assertThat(y).startsWith(huge).endsWith(3e38f, 1.5f, -3e38f);
            assertThat(tokens.layers()[0].weights()).containsOnly(0.75f);
            assertThat(values(harness, WindowSummary.SUMMARIES))
                    .extracting(WindowSummary::counts)
                    .containsExactly(
                            new WindowCounts(6, 0, 0, 3, 0, 1, 0, 2, 3),
                            new WindowCounts(5, 0, 0, 3, 0, 0, 0, 2, 0));
        }
        assertThat(metrics.counter("moe.combine.numNonFiniteSums")).isEqualTo(1);
        assertThat(metrics.counter("moe.combine.numChoicesFailed")).isEqualTo(2);
    }

    @Test
    void aCombineScalesTheSharesOfSurvivorsAndClearsThemWhereTheSumOverflows() throws Exception {
        OperatorHarnesses harnesses =
                harnesses(bundle()).capacity(first(5).withWeightRule(WeightRule.SURVIVORS));
        try (var harness = harnesses.combine(0)) {
            float[] zero = new float[N];
            harness.send(
                    new RoutedBlock(
                            0,
                            tokens(zero, zero),
                            choices(2, 0.25f),
                            new float[] {0.5f, 4},
                            Vectors.NONE));
            harness.send(answer(Outcome.EXECUTED, 0, 2, 4, 8));
            harness.send(answer(Outcome.OVERFLOWED, 1));
            harness.send(answer(Outcome.EXECUTED, 2, 2e38f, 0, 0));
            harness.send(answer(Outcome.EXECUTED, 3, 2e38f, 0, 0));

            TokenBlock tokens = harness.extractOutputValues().get(0);
            // The survivor has all the weight, and half of that counts.
            assertThat(Floats.toFloats(tokens.vectors())).containsExactly(1, 2, 4, 0, 0, 0);
            assertThat(tokens.layers()[0].weights()).containsExactly(0.5f, 0, 0, 0);
            assertThat(tokens.layers()[0].outcomes())
                    .endsWith(Outcome.FAILED.code(), Outcome.FAILED.code());
        }
    }

    @Test
    void aHeadRejectsTokensWithTheirIdentity() throws Exception {
        OperatorHarnesses harnesses =
                harnesses(bundle().head(BrokenModels.nanAt(9, N))).decisionLog();
        try (var harness = harnesses.head()) {
            TokenBlock tokens = tokens(new float[] {1, 2, 3}, new float[] {9, 2, 3});
            byte[] executed = new byte[4];
            Choices choices = new Choices(2, new int[4], new float[4], executed);
            harness.processElement(new StreamRecord<>(tokens.withLayers(new Choices[] {choices})));

            assertThat(harness.extractOutputValues())
                    .extracting(ScoredToken::position)
                    .containsExactly(0L);
            assertThat(values(harness, DecisionRecord.DECISIONS)).hasSize(1);
            DeadLetter letter = values(harness, DeadLetter.OUTPUT).get(0);
            assertThat(letter.reason())
                    .isEqualTo(
                            "the head's output for position 1 of stream s (its input values are"
                                    + " no longer known) is not finite");
            assertThat(letter.token().stream()).isEqualTo("s");
            assertThat(letter.token().position()).isEqualTo(1);
            assertThat(letter.token().values()).isEmpty();
        }
        assertThat(metrics.counter("moe.head.numTokensDeadLettered")).isEqualTo(1);
    }

    private static FirstCome first(int tokens) {
        return FirstCome.of(WINDOWS, tokens);
    }

    private static <T> List<T> values(
            AbstractStreamOperatorTestHarness<?> harness, OutputTag<T> tag) {
        return harness.getSideOutput(tag).stream().map(StreamRecord::getValue).toList();
    }

    private static TokenBlock tokens(float[]... rows) {
        float[] all = new float[rows.length * N];
        String[] streams = new String[rows.length];
        long[] positions = new long[rows.length];
        for (int row = 0; row < rows.length; row++) {
            System.arraycopy(rows[row], 0, all, row * N, N);
            streams[row] = "s";
            positions[row] = row;
        }
        return new TokenBlock(
                0, streams, positions, new long[rows.length], Floats.toBytes(all), new Choices[0]);
    }

    /** Two choices per token, which wait for their experts. */
    private static Choices choices(int tokens, float weight) {
        float[] weights = new float[2 * tokens];
        byte[] outcomes = new byte[2 * tokens];
        Arrays.fill(weights, weight);
        Arrays.fill(outcomes, Choices.PENDING);
        return new Choices(2, new int[2 * tokens], weights, outcomes);
    }

    private static ContributionBlock answer(Outcome outcome, int choice, float... output) {
        return new ContributionBlock(
                0,
                0,
                new int[] {choice},
                new byte[] {outcome.code()},
                Vectors.of(Floats.toBytes(output)));
    }
}
