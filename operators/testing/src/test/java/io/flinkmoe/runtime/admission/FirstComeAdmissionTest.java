// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import static io.flinkmoe.runtime.admission.AdmissionBlocks.ADMITTED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.LATE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.MINUTE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.OVERFLOWED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.onArrival;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.summaries;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.testing.AdmissionHarness;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.FlushCounter;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Admission that decides when a choice arrives. */
@ParameterizedClass
@EnumSource
class FirstComeAdmissionTest {

    private static final Capacity TWO_A_MINUTE = FirstCome.of(MINUTE, 2);

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        options = AdmissionBlocks.options(directory.resolve("bundle"), 2);
    }

    @Test
    void admitsNoMoreThanTheCapacityOfEachWindow() throws Exception {
        try (var harness = open()) {
            harness.send(onArrival(3, 0, new int[] {0, 1, 2, 3, 4}, 0, 1, 2, 60_000, 3));
            assertThat(harness.decided())
                    .isEqualTo(
                            Map.of(
                                    0,
                                    ADMITTED,
                                    1,
                                    ADMITTED,
                                    2,
                                    OVERFLOWED,
                                    3,
                                    ADMITTED,
                                    4,
                                    OVERFLOWED));
        }
    }

    @Test
    void decidesOnABlockInOneRecordWithoutWeights() throws Exception {
        try (var harness = open()) {
            harness.send(onArrival(3, 7, new int[] {4, 2, 9}, 0, 60_000, 0));
            assertThat(harness.extractOutputValues()).hasSize(1);
            DecisionBlock block = harness.extractOutputValues().get(0);
            assertThat(block.batches()).hasSize(1);
            DecisionBlock.OfBatch decisions = block.batches()[0];
            assertThat(decisions.batch()).isEqualTo(7);
            assertThat(decisions.attempt()).isZero();
            assertThat(decisions.choices()).containsExactlyInAnyOrder(2, 4, 9);
            assertThat(decisions.weights()).isEmpty();
        }
    }

    @Test
    void sendsTheDecisionsOnABlockAtOnce() throws Exception {
        try (var harness = open()) {
            FlushCounter output = FlushCounter.of(harness);
            harness.send(onArrival(3, 7, new int[] {4, 2, 9}, 0, 60_000, 0));
            assertThat(output.flushes()).isEqualTo(1);
            harness.send(onArrival(3, 8, new int[] {0}, 0));
            assertThat(output.flushes()).isEqualTo(2);
        }
    }

    @Test
    void everyExpertHasItsOwnCapacity() throws Exception {
        try (var harness = open()) {
            harness.send(
                    onArrival(1, 0, new int[] {0, 2, 4}, 0, 0, 0),
                    onArrival(2, 0, new int[] {1, 3}, 0, 0));
            assertThat(harness.decided())
                    .isEqualTo(
                            Map.of(
                                    0,
                                    ADMITTED,
                                    2,
                                    ADMITTED,
                                    4,
                                    OVERFLOWED,
                                    1,
                                    ADMITTED,
                                    3,
                                    ADMITTED));
        }
    }

    @Test
    void countsTheCapacityOverRestoresAndRescaling() throws Exception {
        OperatorSubtaskState one;
        try (var harness = open()) {
            harness.send(
                    onArrival(0, 0, new int[] {0}, 0), onArrival(3, 0, new int[] {1, 2}, 0, 0));
            one = harness.snapshot(1, 1);
        }
        OperatorSubtaskState low;
        try (var harness = restore(2, 0, one)) {
            harness.send(onArrival(0, 1, new int[] {0}, 0));
            assertThat(harness.decided()).isEqualTo(Map.of(0, ADMITTED));
            low = harness.snapshot(2, 2);
        }
        OperatorSubtaskState high;
        try (var harness = restore(2, 1, one)) {
            harness.send(onArrival(3, 1, new int[] {0}, 0));
            assertThat(harness.decided()).isEqualTo(Map.of(0, OVERFLOWED));
            high = harness.snapshot(2, 2);
        }
        try (var harness = restore(1, 0, low, high)) {
            harness.send(onArrival(0, 2, new int[] {0}, 0), onArrival(3, 2, new int[] {1}, 0));
            assertThat(harness.decided()).isEqualTo(Map.of(0, OVERFLOWED, 1, OVERFLOWED));
            harness.processWatermark(59_999);
            assertThat(summaries(harness))
                    .containsExactlyInAnyOrder(
                            summary(0, 0, new WindowCounts(3, 2, 0, 0, 0, 1, 0, 0, 0)),
                            summary(3, 0, new WindowCounts(4, 2, 0, 0, 0, 2, 0, 0, 0)));
        }
    }

    @Test
    void choicesOfAClosedWindowAreLateAlsoAfterARestore() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open()) {
            harness.processWatermark(59_999);
            state = harness.snapshot(1, 1);
        }
        try (var harness = restore(1, 0, state)) {
            harness.send(onArrival(1, 0, new int[] {0, 1}, 59_999, 60_000));
            assertThat(harness.decided()).isEqualTo(Map.of(0, LATE, 1, ADMITTED));
            harness.processWatermark(60_000);
            assertThat(summaries(harness))
                    .containsExactly(summary(1, 0, WindowCounts.EMPTY.plus(Outcome.LATE, 1)));
        }
    }

    @Test
    void closesAWindowWithASummaryThatIsBalanced() throws Exception {
        try (var harness = open()) {
            harness.send(onArrival(1, 0, new int[] {0, 1, 2, 3}, 0, 1, 60_000, 59_999));
            harness.processWatermark(59_998);
            assertThat(summaries(harness)).isEmpty();
            harness.processWatermark(59_999);
            harness.send(onArrival(1, 1, new int[] {4, 5}, 59_999, 60_000));
            harness.processWatermark(119_999);
            assertThat(summaries(harness))
                    .containsExactly(
                            summary(1, 0, new WindowCounts(3, 2, 0, 0, 0, 1, 0, 0, 0)),
                            summary(1, 0, new WindowCounts(1, 0, 0, 0, 0, 0, 1, 0, 0)),
                            summary(1, 60_000, new WindowCounts(2, 2, 0, 0, 0, 0, 0, 0, 0)))
                    .allMatch(summary -> summary.counts().isBalanced());
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(StreamRecord::getTimestamp)
                    .containsExactly(59_999L, 59_999L, 119_999L);
        }
    }

    @Test
    void holdsNothingBackWhenAWindowCloses() throws Exception {
        try (var harness = open()) {
            harness.processWatermark(0);
            harness.send(onArrival(1, 0, new int[] {0}, 0));
            harness.processWatermark(59_998);
            harness.processWatermark(59_999);
            assertThat(harness.getOutput())
                    .hasSize(4)
                    .startsWith(new Watermark(0))
                    .endsWith(new Watermark(59_998), new Watermark(59_999));
            assertThat(harness.decided()).isEqualTo(Map.of(0, ADMITTED));
            assertThat(harness.numKeyedStateEntries()).isZero();
        }
    }

    private static WindowSummary summary(int expert, long windowStart, WindowCounts counts) {
        return new WindowSummary(
                0,
                windowStart,
                WindowSummary.Source.ADMISSION,
                0,
                expert,
                WindowSummary.NONE,
                counts);
    }

    private AdmissionHarness open() throws Exception {
        return restore(1, 0);
    }

    private AdmissionHarness restore(int parallelism, int subtask, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(TWO_A_MINUTE)
                .subtask(subtask, parallelism)
                .restore(states)
                .admission(0);
    }
}
