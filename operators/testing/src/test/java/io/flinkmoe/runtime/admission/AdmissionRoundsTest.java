// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import static io.flinkmoe.runtime.admission.AdmissionBlocks.ADMITTED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.LATE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.MINUTE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.OVERFLOWED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.nextRound;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.summaries;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.withNextExpert;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.testing.AdmissionHarness;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Choices that are passed on to their next expert. Each round is an operator of its own. */
@ParameterizedClass
@EnumSource
class AdmissionRoundsTest {

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        options = AdmissionBlocks.options(directory.resolve("bundle"), 1);
    }

    @Test
    void passesOnChoicesAndTheCapacityLeftBeforeTheWatermark() throws Exception {
        try (var harness = open(prioritized(2), 0)) {
            harness.send(withNextExpert(1, 0, 0, 0, 1, 2), withNextExpert(2, 1, 0, 5));
            harness.processWatermark(59_999);

            assertThat(harness.decided()).isEqualTo(Map.of(0, ADMITTED, 1, ADMITTED, 5, ADMITTED));
            assertThat(nextRound(harness))
                    .containsExactlyInAnyOrder(
                            "expert 2, attempt 1: [2]",
                            "expert 1, window 0: capacity 0 left",
                            "expert 2, window 0: capacity 1 left");
            assertThat(harness.getOutput()).endsWith(new Watermark(59_999));
            assertThat(harness.numKeyedStateEntries()).isZero();
            assertThat(summaries(harness))
                    .containsExactlyInAnyOrder(
                            summary(0, 1, new WindowCounts(3, 2, 1, 0, 0, 0, 0, 0, 0)),
                            summary(0, 2, new WindowCounts(1, 1, 0, 0, 0, 0, 0, 0, 0)))
                    .allMatch(summary -> summary.counts().isBalanced());
        }
    }

    @Test
    void theNextRoundAdmitsNoMoreThanTheCapacityLeft() throws Exception {
        try (var harness = open(prioritized(2), 1)) {
            harness.send(withNextExpert(2, 0, 1, 3, 4, 5), new RemainingCapacity(2, 0, 1));
            harness.send(withNextExpert(3, 1, 1, 7, 8, 9));
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.processWatermark(59_999);

            // Expert 3 has received no report, so it has its full capacity, 2.
            assertThat(harness.decided())
                    .isEqualTo(
                            Map.of(
                                    3,
                                    ADMITTED,
                                    7,
                                    ADMITTED,
                                    8,
                                    ADMITTED,
                                    4,
                                    OVERFLOWED,
                                    5,
                                    OVERFLOWED,
                                    9,
                                    OVERFLOWED));
            assertThat(harness.extractOutputValues())
                    .flatMap(block -> List.of(block.batches()))
                    .allMatch(decisions -> decisions.attempt() == 1);
            assertThat(nextRound(harness)).isEmpty();
            assertThat(harness.numKeyedStateEntries()).isZero();
            assertThat(summaries(harness))
                    .containsExactlyInAnyOrder(
                            summary(1, 2, new WindowCounts(3, 1, 0, 0, 0, 2, 0, 0, 0)),
                            summary(1, 3, new WindowCounts(3, 2, 0, 0, 0, 1, 0, 0, 0)));
        }
    }

    @Test
    void theNextRoundForgetsTheCapacityLeftWhenTheWindowCloses() throws Exception {
        try (var harness = open(prioritized(2), 1)) {
            harness.send(new RemainingCapacity(2, 0, 1));
            assertThat(harness.numKeyedStateEntries()).isPositive();
            harness.processWatermark(59_999);
            assertThat(harness.numKeyedStateEntries()).isZero();
            assertThat(summaries(harness)).isEmpty();
        }
    }

    @Test
    void reportsNoCapacityWhenOnlyLateChoicesHaveOpenedAWindowAgain() throws Exception {
        try (var harness = open(prioritized(2), 0)) {
            harness.send(withNextExpert(1, 0, 0, 1));
            harness.processWatermark(59_999);
            assertThat(nextRound(harness)).containsExactly("expert 1, window 0: capacity 1 left");
            harness.send(withNextExpert(1, 1, 0, 2));
            harness.processWatermark(119_999);
            assertThat(harness.decided()).containsEntry(2, LATE);
            assertThat(nextRound(harness)).containsExactly("expert 1, window 0: capacity 1 left");
            assertThat(summaries(harness))
                    .containsExactly(
                            summary(0, 1, WindowCounts.EMPTY.plusAdmitted(1)),
                            summary(0, 1, WindowCounts.EMPTY.plus(Outcome.LATE, 1)));
        }
    }

    /** Otherwise the next round would take the capacity of a window without tokens. */
    @Test
    void anExpertThatNoChoiceAsksReportsItsCapacity() throws Exception {
        Capacity half =
                AtWindowClose.of(MINUTE, CapacityFormula.nllbEval(0.5), AdmissionOrder.POSITION)
                        .withOverflowRounds(1);
        try (var harness = open(half, 0)) {
            harness.send(new WindowTokens(3, 0, 0, 6), new WindowTokens(3, 1, 0, 4));
            harness.processWatermark(59_999);
            assertThat(nextRound(harness)).containsExactly("expert 3, window 0: capacity 5 left");
            assertThat(summaries(harness)).isEmpty();
            assertThat(harness.numKeyedStateEntries()).isZero();
        }
    }

    @Test
    void firstComeAdmissionPassesOnAtOnceWhatItRefuses() throws Exception {
        Capacity capacity = FirstCome.of(MINUTE, 1).withOverflowRounds(1);
        try (var harness = open(capacity, 0)) {
            harness.send(withNextExpert(1, 0, 0, 1, 2));
            assertThat(nextRound(harness)).containsExactly("expert 2, attempt 1: [2]");
            harness.processWatermark(59_999);
            assertThat(harness.decided()).isEqualTo(Map.of(1, ADMITTED));
            assertThat(nextRound(harness)).endsWith("expert 1, window 0: capacity 0 left");
            assertThat(summaries(harness))
                    .containsExactly(summary(0, 1, new WindowCounts(2, 1, 1, 0, 0, 0, 0, 0, 0)));
        }
        try (var harness = open(capacity, 1)) {
            harness.send(withNextExpert(2, 0, 1, 2), new RemainingCapacity(2, 0, 0));
            harness.processWatermark(59_998);
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.processWatermark(59_999);
            assertThat(harness.decided()).isEqualTo(Map.of(2, OVERFLOWED));
        }
    }

    @Test
    void aChoiceWithoutANextExpertOverflows() throws Exception {
        try (var harness = open(prioritized(0), 0)) {
            CandidateBlock last = withNextExpert(1, 0, 0, 1);
            last.priorities().nextExperts()[0] = -1;
            harness.send(last);
            harness.processWatermark(59_999);
            assertThat(harness.decided()).isEqualTo(Map.of(1, OVERFLOWED));
        }
    }

    @Test
    void keepsChoicesAndTheCapacityLeftOverARestore() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(prioritized(2), 1)) {
            harness.send(withNextExpert(2, 0, 1, 3, 4), new RemainingCapacity(2, 0, 1));
            state = harness.snapshot(1, 1);
        }
        try (var harness = open(prioritized(2), 1, state)) {
            harness.processWatermark(59_999);
            assertThat(harness.decided()).isEqualTo(Map.of(3, ADMITTED, 4, OVERFLOWED));
        }
    }

    private static Capacity prioritized(int rows) {
        return AtWindowClose.of(MINUTE, CapacityFormula.fixed(rows), AdmissionOrder.POSITION)
                .withOverflowRounds(1);
    }

    private static WindowSummary summary(int round, int expert, WindowCounts counts) {
        return new WindowSummary(
                0, 0, WindowSummary.Source.ADMISSION, round, expert, WindowSummary.NONE, counts);
    }

    private AdmissionHarness open(Capacity capacity, int round, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(capacity)
                .restore(states)
                .admission(0, round);
    }
}
