// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import static io.flinkmoe.runtime.router.RouterBlocks.N;
import static io.flinkmoe.runtime.router.RouterBlocks.block;
import static io.flinkmoe.runtime.router.RouterBlocks.row;
import static io.flinkmoe.runtime.router.RouterBlocks.token;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import io.flinkmoe.runtime.block.AdmissionInput;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.FlushCounter;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import io.flinkmoe.testing.RouterHarness;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** What a router does about the windows of a capacity. */
@ParameterizedClass
@EnumSource
class RouterWindowsTest {

    private static final TumblingWindows WINDOWS = new TumblingWindows(60_000);
    private static final Capacity MINUTE = FirstCome.of(WINDOWS, 2);
    @Parameter private Backend backend;
    @TempDir private static Path directory;
    private static Bundle bundle;

    @BeforeAll
    static void writeBundle() {
        bundle = NumberedBundle.write(directory.resolve("bundle"), N, 2, 1);
    }

    @Test
    void refusesStateOfOtherWindows() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(MINUTE)) {
            harness.send(token(0));
            state = harness.snapshot(1, 1);
        }
        Capacity twoMinutes = FirstCome.of(new TumblingWindows(120_000), 1);
        assertThatThrownBy(() -> restore(twoMinutes, 1, 0, state))
                .hasMessageContaining(
                        "moe.capacity.window.size is 2 min, but the checkpoint was written with 1 min");
        assertThatThrownBy(() -> restore(new Dropless(), 1, 0, state))
                .hasMessageContaining(
                        "moe.capacity.window.size is none, but the checkpoint was written with 1 min");
    }

    @Test
    void callsATokenLateWhoseWindowIsClosedAlsoAfterARestore() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(MINUTE)) {
            harness.processWatermark(59_999);
            harness.send(block(0, new long[] {59_999, 60_000}, row(), row()));
            assertThat(harness.routed().get(0).choices().outcomes())
                    .containsExactly(
                            Outcome.LATE.code(),
                            Outcome.LATE.code(),
                            Choices.PENDING,
                            Choices.PENDING);
            assertThat(harness.candidates()).extracting(CandidateBlock::rows).containsExactly(1, 1);
            state = harness.snapshot(1, 1);
        }
        try (var harness = restore(MINUTE, 2, 1, state)) {
            harness.send(block(3, new long[] {59_999}, row()));
            assertThat(harness.routed().get(0).choices().outcomes())
                    .containsOnly(Outcome.LATE.code());
        }
    }

    @Test
    void takesTheWordOfTheIngestThatATokenIsLate() throws Exception {
        try (var harness = open(MINUTE)) {
            TokenBlock block = block(0, new long[] {1, 2}, row(), row());
            harness.send(block.withLate(new boolean[] {false, true}));
            RoutedBlock residual = harness.routed().get(0);
            assertThat(residual.choices().outcomes())
                    .containsExactly(
                            Choices.PENDING,
                            Choices.PENDING,
                            Outcome.LATE.code(),
                            Outcome.LATE.code());
            assertThat(residual.tokens().late())
                    .as("for later layers")
                    .containsExactly(false, true);
        }
    }

    @Test
    void divertsLateTokensOnRequest() throws Exception {
        try (var harness = harnesses().capacity(MINUTE).divertLateTokens().router(0)) {
            harness.processWatermark(59_999);
            harness.send(block(0, new long[] {59_999, 60_000}, row(), row()));
            harness.send(block(0, new long[] {3}, row()));
            assertThat(harness.routed()).singleElement().matches(r -> r.tokens().rows() == 1);
            assertThat(harness.getSideOutput(LateTokens.OUTPUT))
                    .extracting(record -> record.getValue().timestamp())
                    .containsExactly(59_999L, 3L);
            harness.processWatermark(119_999);
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(record -> record.getValue().counts().late())
                    .contains(4L);
        }
    }

    @Test
    void knowsTheExpertsThatOverflowMayTryNext() throws Exception {
        Capacity rounds =
                AtWindowClose.of(WINDOWS, CapacityFormula.fixed(1), AdmissionOrder.GATE_SCORE)
                        .withOverflowRounds(1);
        try (var harness = open(rounds)) {
            harness.send(block(0, new long[] {10}, new float[] {0, 3, 2, 1}));
            Choices choices = harness.routed().get(0).choices();
            assertThat(choices.experts()).containsExactly(1, 2, 3, 0);
            Priorities ofExpertOne = harness.candidates().get(0).priorities();
            float[] p = Scores.of(ScoringFunc.SOFTMAX, new float[] {0, 3, 2, 1}, N);
            assertThat(ofExpertOne.scores()).containsExactly(p[1], p[3]);
            assertThat(ofExpertOne.nextExperts()).containsExactly(3);
            assertThat(harness.candidates().get(1).priorities().nextExperts()).containsExactly(0);
        }
    }

    @Test
    void callsNothingLateWithoutWindows() throws Exception {
        try (var harness = open(new Dropless())) {
            harness.processWatermark(Long.MAX_VALUE);
            harness.send(token(0));
            assertThat(harness.routed().get(0).choices().outcomes()).containsOnly(Choices.PENDING);
        }
    }

    @Test
    void emitsTheSummaryOfALaneWhenItsWindowCloses() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(MINUTE)) {
            harness.send(block(1, new long[] {0, 59_999, 60_000}, row(), row(), row()));
            state = harness.snapshot(1, 1);
        }
        try (var harness = restore(MINUTE, 1, 0, state)) {
            harness.processWatermark(59_999);
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(StreamRecord::getValue)
                    .containsExactly(
                            new WindowSummary(
                                    0,
                                    0,
                                    WindowSummary.Source.ROUTER,
                                    0,
                                    WindowSummary.NONE,
                                    1,
                                    WindowCounts.EMPTY.plusAsked(4).plusTokens(2)));
        }
    }

    @Test
    void sendsScoresStreamsAndPositionsWhenTheExpertsOrderTheirRows() throws Exception {
        Capacity prioritized =
                AtWindowClose.of(WINDOWS, CapacityFormula.fixed(1), AdmissionOrder.GATE_SCORE);
        float[] first = {0, 3, 2, 0};
        float[] second = {1, 0, 4, 0};
        try (var harness = open(prioritized)) {
            harness.send(block(0, new long[] {10, 20}, first, second));

            float[] logits = {0, 3, 2, 0, 1, 0, 4, 0};
            float[] p = Scores.of(ScoringFunc.SOFTMAX, logits, N);
            Priorities ofExpertTwo = harness.candidates().get(2).priorities();
            assertThat(ofExpertTwo.streams()).containsExactly("s", "s");
            assertThat(ofExpertTwo.positions()).containsExactly(0, 1);
            assertThat(ofExpertTwo.topScores()).containsExactly(p[1], p[6]);
            assertThat(ofExpertTwo.scores()).containsExactly(p[2], p[6]);
        }
        try (var harness = open(MINUTE)) {
            harness.send(block(0, new long[] {10, 20}, first, second));
            assertThat(harness.candidates())
                    .allSatisfy(block -> assertThat(block.priorities().scores()).isEmpty());
        }
    }

    @Test
    void sendsABlockAtOnceIfItIsDecidedOnArrival() throws Exception {
        try (var harness = open(MINUTE)) {
            FlushCounter output = FlushCounter.of(harness);
            harness.send(block(0, new long[] {10, 20}, row(), row()));
            assertThat(output.flushes()).isEqualTo(1);
        }
        Capacity prioritized =
                AtWindowClose.of(WINDOWS, CapacityFormula.fixed(1), AdmissionOrder.GATE_SCORE);
        try (var harness = open(prioritized)) {
            FlushCounter output = FlushCounter.of(harness);
            harness.send(block(0, new long[] {10, 20}, row(), row()));
            assertThat(output.flushes()).isZero();
        }
    }

    @Test
    void tellsEveryExpertTheTokensOfAClosedWindowBeforeTheWatermark() throws Exception {
        Capacity factor =
                AtWindowClose.of(WINDOWS, CapacityFormula.vmoe(1), AdmissionOrder.POSITION);
        OperatorSubtaskState state;
        try (var harness = open(factor)) {
            harness.send(block(1, new long[] {0, 59_999, 60_000}, row(), row(), row()), token(3));
            state = harness.snapshot(1, 1);
        }
        try (var harness = restore(factor, 1, 0, state)) {
            harness.send(token(1));
            harness.processWatermark(59_999);
            assertThat(reports(harness))
                    .hasSize(2 * N)
                    .contains(new WindowTokens(0, 1, 0, 3), new WindowTokens(3, 1, 0, 3))
                    .contains(new WindowTokens(0, 3, 0, 1), new WindowTokens(3, 3, 0, 1));
            assertThat(harness.getOutput()).endsWith(new Watermark(59_999));

            harness.send(token(1), block(2, new long[] {0}, new float[] {Float.NaN, 0, 0, 0}));
            assertThat(harness.routed())
                    .last(InstanceOfAssertFactories.type(RoutedBlock.class))
                    .satisfies(
                            block ->
                                    assertThat(block.choices().outcomes())
                                            .containsOnly(Outcome.LATE.code()));
            harness.processWatermark(60_000);
            assertThat(reports(harness)).as("late tokens do not count").hasSize(2 * N);
        }
    }

    @Test
    void tellsNobodyTheTokensWhenCapacityIsFixed() throws Exception {
        try (var harness = open(MINUTE)) {
            harness.send(token(1));
            harness.getOutput().clear();
            harness.processWatermark(59_999);
            assertThat(harness.getOutput()).containsExactly(new Watermark(59_999));
        }
    }

    @Test
    void forwardsWatermarksButNoIdleness() throws Exception {
        try (var harness = open(MINUTE)) {
            harness.processWatermark(7);
            harness.processWatermarkStatus(WatermarkStatus.IDLE);
            assertThat(harness.getOutput()).containsExactly(new Watermark(7));
        }
    }

    private static List<AdmissionInput> reports(RouterHarness harness) {
        return harness.toAdmission().stream().filter(WindowTokens.class::isInstance).toList();
    }

    private OperatorHarnesses harnesses() throws Exception {
        return OperatorHarnesses.of(RouterBlocks.options(bundle)).stateBackend(backend.make());
    }

    private RouterHarness open(Capacity capacity) throws Exception {
        return harnesses().capacity(capacity).router(0);
    }

    private RouterHarness restore(
            Capacity capacity, int parallelism, int subtask, OperatorSubtaskState... states)
            throws Exception {
        return harnesses()
                .capacity(capacity)
                .subtask(subtask, parallelism)
                .restore(states)
                .router(0);
    }
}
