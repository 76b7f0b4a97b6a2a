// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import static io.flinkmoe.runtime.admission.AdmissionBlocks.ADMITTED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.EARLY_SECOND;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.LAST_FIRST;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.LATE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.LATER_FIRST;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.MINUTE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.N;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.OVERFLOWED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.block;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.inLane;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.summaries;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.admission.AdmissionBlocks.Row;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.slices.CheckpointAhead;
import io.flinkmoe.testing.AdmissionHarness;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
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

/** Admission that decides when a window closes. */
@ParameterizedClass
@EnumSource
class PrioritizedAdmissionTest {

    private static final int K = 2;

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        options = AdmissionBlocks.options(directory.resolve("bundle"), K);
    }

    @Test
    void decidesNothingBeforeTheWatermarkAndAllBeforeItIsForwarded() throws Exception {
        try (var harness = open(fixed(2, AdmissionOrder.POSITION))) {
            harness.send(block(1, 0, LATER_FIRST, EARLY_SECOND), block(1, 1, LAST_FIRST));
            harness.processWatermark(59_998);
            assertThat(harness.extractOutputValues()).isEmpty();

            harness.processWatermark(59_999);

            assertThat(harness.decided())
                    .isEqualTo(Map.of(2, ADMITTED, 4, ADMITTED, 1, OVERFLOWED));
            assertThat(harness.getOutput())
                    .startsWith(new Watermark(59_998))
                    .endsWith(new Watermark(59_999));
            assertThat(harness.numKeyedStateEntries()).isZero();
        }
    }

    @Test
    void decidesNothingFromTheAnnouncementOfACheckpointUntilItsBarrier() throws Exception {
        try (var harness = open(fixed(2, AdmissionOrder.POSITION))) {
            harness.send(block(1, 0, LATER_FIRST, EARLY_SECOND), block(1, 1, LAST_FIRST));
            ((Admission) harness.getOperator()).handleOperatorEvent(new CheckpointAhead(1));
            harness.processWatermark(59_999);
            assertThat(harness.getOutput()).isEmpty();

            harness.snapshot(1, 1);
            harness.runSlices();
            assertThat(harness.decided()).hasSize(3);
            assertThat(harness.getOutput()).endsWith(new Watermark(59_999));
        }
    }

    @Test
    void sendsOneRecordPerLane() throws Exception {
        CandidateBlock first = block(1, 5, LATER_FIRST);
        CandidateBlock other = inLane(6, block(1, 5, new Row(8, 7, "a", 1, 1)));
        try (var harness = open(fixed(2, AdmissionOrder.POSITION))) {
            harness.send(first, other, block(1, 9, LAST_FIRST));
            harness.processWatermark(59_999);

            assertThat(harness.extractOutputValues())
                    .extracting(DecisionBlock::lane, block -> block.batches().length)
                    .containsExactly(tuple(0, 2), tuple(6, 1));
            assertThat(harness.decided())
                    .isEqualTo(Map.of(2, ADMITTED, 8, ADMITTED, 4, OVERFLOWED));
        }
    }

    @Test
    void takesTheCapacityFromTheTokensOfAllLanes() throws Exception {
        // ceil(T · k · 0.5 / N) = ceil(7 · 2 · 0.5 / 4) = 2 for the first window, 1 for the second.
        CapacityFormula half =
                CapacityFormula.of(
                        0.5,
                        true,
                        CapacityFormula.Arithmetic.PRODUCT,
                        CapacityFormula.Rounding.CEIL);
        Row next = new Row(10, 60_000, "a", 1, 1);
        Row nextToo = new Row(12, 60_001, "a", 1, 1);
        try (var harness = open(AtWindowClose.of(MINUTE, half, AdmissionOrder.POSITION))) {
            harness.send(new WindowTokens(1, 0, 0, 3), block(1, 0, EARLY_SECOND, LATER_FIRST));
            harness.send(block(1, 1, LAST_FIRST, nextToo, next), new WindowTokens(1, 7, 0, 4));
            harness.processWatermark(59_999);
            assertThat(harness.decided())
                    .isEqualTo(Map.of(2, ADMITTED, 4, ADMITTED, 1, OVERFLOWED));

            harness.send(new WindowTokens(1, 0, 60_000, 2));
            harness.send(new WindowTokens(2, 0, 60_000, 2));
            harness.processWatermark(119_999);
            assertThat(harness.decided())
                    .hasSize(5)
                    .containsEntry(10, ADMITTED)
                    .containsEntry(12, OVERFLOWED);
            assertThat(harness.numKeyedStateEntries()).isZero();
            assertThat(summaries(harness))
                    .extracting(WindowSummary::windowStart, WindowSummary::counts)
                    .as("expert 2 was asked for nothing")
                    .containsExactly(
                            tuple(0L, new WindowCounts(3, 2, 0, 0, 0, 1, 0, 0, 0)),
                            tuple(60_000L, new WindowCounts(2, 1, 0, 0, 0, 1, 0, 0, 0)));
        }
    }

    @Test
    void keepsAWindowOverRestoresAndRescaling() throws Exception {
        Capacity capacity =
                AtWindowClose.of(MINUTE, CapacityFormula.nllbEval(0.25), AdmissionOrder.POSITION);
        OperatorSubtaskState one;
        try (var harness = open(capacity)) {
            harness.send(
                    block(0, 0, LATER_FIRST),
                    block(3, 0, new Row(12, 5, "b", 1, 1), new Row(11, 1, "a", 1, 1)));
            harness.send(new WindowTokens(0, 0, 0, 4), new WindowTokens(3, 0, 0, 4));
            one = harness.snapshot(1, 1);
        }
        OperatorSubtaskState low;
        try (var harness = restore(capacity, 2, 0, one)) {
            harness.send(block(0, 1, EARLY_SECOND), new WindowTokens(0, 1, 0, 3));
            low = harness.snapshot(2, 2);
        }
        OperatorSubtaskState high;
        try (var harness = restore(capacity, 2, 1, one)) {
            harness.send(block(3, 1, new Row(14, 9, "a", 1, 1)));
            high = harness.snapshot(2, 2);
        }
        try (var harness = restore(capacity, 1, 0, low, high)) {
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.processWatermark(59_999);
            // Expert 0 has the capacity ceil(7 / 4) = 2, expert 3 has 4 / 4 = 1.
            assertThat(harness.decided())
                    .isEqualTo(
                            Map.of(
                                    1,
                                    ADMITTED,
                                    2,
                                    ADMITTED,
                                    11,
                                    OVERFLOWED,
                                    12,
                                    ADMITTED,
                                    14,
                                    OVERFLOWED));
            assertThat(summaries(harness))
                    .extracting(WindowSummary::expert, WindowSummary::counts)
                    .containsExactlyInAnyOrder(
                            tuple(0, new WindowCounts(2, 2, 0, 0, 0, 0, 0, 0, 0)),
                            tuple(3, new WindowCounts(3, 1, 0, 0, 0, 2, 0, 0, 0)));
        }
    }

    @Test
    void decidesOnLateRowsAtOnceAndHoldsTheOthersOfTheBlock() throws Exception {
        try (var harness = open(fixed(2, AdmissionOrder.POSITION))) {
            harness.processWatermark(59_999);
            harness.send(block(1, 0, new Row(0, 60_000, "a", 1, 1), EARLY_SECOND));
            assertThat(harness.decided()).isEqualTo(Map.of(1, LATE));
            harness.processWatermark(119_999);
            assertThat(harness.decided()).isEqualTo(Map.of(1, LATE, 0, ADMITTED));
        }
    }

    @Test
    void forgetsEveryWindowThatIsClosed() throws Exception {
        try (var harness = open(fixed(1, AdmissionOrder.GATE_SCORE))) {
            for (int window = 0; window < 10_000; window++) {
                long start = 60_000L * window;
                harness.send(
                        block(
                                window % N,
                                window,
                                new Row(0, start, "a", 1, 1),
                                new Row(2, start + 60_000, "b", 1, 1)));
                harness.processWatermark(start + 59_999);
                assertThat(harness.numKeyedStateEntries())
                        .as("the counts and the rows of the window that is still open")
                        .isEqualTo(2);
                assertThat(harness.numEventTimeTimers()).isZero();
            }
        }
    }

    private static AtWindowClose fixed(int rows, AdmissionOrder order) {
        return AtWindowClose.of(MINUTE, CapacityFormula.fixed(rows), order);
    }

    private AdmissionHarness open(Capacity capacity) throws Exception {
        return restore(capacity, 1, 0);
    }

    private AdmissionHarness restore(
            Capacity capacity, int parallelism, int subtask, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(capacity)
                .subtask(subtask, parallelism)
                .restore(states)
                .admission(0);
    }
}
