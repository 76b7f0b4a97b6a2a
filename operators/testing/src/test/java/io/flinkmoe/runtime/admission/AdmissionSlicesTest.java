// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import static io.flinkmoe.runtime.admission.AdmissionBlocks.ADMITTED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.LATE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.MINUTE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.N;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.OVERFLOWED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.sent;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.summaries;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.twoWindows;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.withNextExpert;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.block.AdmissionInput;
import io.flinkmoe.testing.AdmissionHarness;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Closed windows are decided in slices, between which other records may arrive. */
@ParameterizedClass
@EnumSource
class AdmissionSlicesTest {

    private static final Capacity TWO_A_MINUTE =
            AtWindowClose.of(MINUTE, CapacityFormula.fixed(2), AdmissionOrder.POSITION)
                    .withOverflowRounds(1);

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        options = AdmissionBlocks.options(directory.resolve("bundle"), 1);
    }

    @Test
    void aWatermarkAloneDecidesNothing() throws Exception {
        try (var harness = open()) {
            harness.send(inputs());
            harness.startWatermark(119_999);
            assertThat(harness.getOutput()).isEmpty();
            assertThat(sent(harness)).isEmpty();
        }
    }

    @Test
    void aSliceDecidesForOneExpertAndWindow() throws Exception {
        try (var harness = open()) {
            harness.send(inputs());
            harness.startWatermark(119_999);
            int decided = 0;
            while (harness.runSlice()) {
                // An expert's summary of a window is emitted when the window is decided.
                assertThat(summaries(harness).size()).isBetween(decided, decided + 1);
                decided = summaries(harness).size();
            }
            assertThat(summaries(harness))
                    .extracting(WindowSummary::windowStart, WindowSummary::expert)
                    .containsExactly(
                            tuple(0L, 0),
                            tuple(0L, 1),
                            tuple(0L, 2),
                            tuple(0L, 3),
                            tuple(60_000L, 0),
                            tuple(60_000L, 1),
                            tuple(60_000L, 2),
                            tuple(60_000L, 3));
        }
    }

    @Test
    void aSliceSendsDecisionsOfOneExpertAndWindow() throws Exception {
        try (var harness = open()) {
            harness.send(inputs());
            harness.startWatermark(119_999);
            int before = 0;
            while (harness.runSlice()) {
                List<Integer> choices =
                        harness.extractOutputValues().stream()
                                .skip(before)
                                .flatMap(block -> List.of(block.batches()).stream())
                                .map(decisions -> decisions.choices()[0] / 10)
                                .distinct()
                                .toList();
                assertThat(choices).hasSizeLessThanOrEqualTo(1);
                before = harness.extractOutputValues().size();
            }
            assertThat(harness.decided()).hasSize(2 * N * 3);
        }
    }

    @Test
    void theWatermarkFollowsTheLastDecision() throws Exception {
        try (var harness = open()) {
            harness.send(inputs());
            harness.startWatermark(119_999);
            while (harness.runSlice()) {
                assertThat(harness.getOutput().contains(new Watermark(119_999)))
                        .isEqualTo(isComplete(harness));
            }
            assertThat(isComplete(harness)).isTrue();
            assertThat(harness.getOutput()).endsWith(new Watermark(119_999));
            assertThat(harness.numKeyedStateEntries()).isZero();
        }
    }

    /** All decisions, all choices for the next round, and the capacity that is left to it. */
    private static boolean isComplete(AdmissionHarness harness) {
        return harness.decided().size() == 2 * N * 3 && harness.nextRound().size() == 2 * N * 3;
    }

    @Test
    void theNextWatermarkMayArriveBetweenTwoSlices() throws Exception {
        try (var harness = open()) {
            harness.send(inputs());
            harness.startWatermark(59_999);
            harness.runSlice();
            harness.startWatermark(119_999);
            harness.runSlices();
            assertThat(isComplete(harness)).isTrue();
            assertThat(harness.getOutput())
                    .filteredOn(Watermark.class::isInstance)
                    .containsExactly(new Watermark(119_999));
            assertThat(harness.getOutput()).endsWith(new Watermark(119_999));
        }
    }

    @Test
    void aWatermarkThatClosesNothingWaitsForTheDecisionsBeforeIt() throws Exception {
        try (var harness = open()) {
            harness.send(withNextExpert(1, 0, 0, 1, 2, 3));
            harness.startWatermark(59_999);
            harness.runSlice(); // All is decided, and nothing is sent.
            harness.startWatermark(60_000);
            assertThat(harness.getOutput()).isEmpty();
            harness.runSlices();
            assertThat(harness.decided()).isEqualTo(Map.of(1, ADMITTED, 2, ADMITTED));
            assertThat(harness.getOutput()).endsWith(new Watermark(60_000));
        }
    }

    @Test
    void choicesThatArriveBetweenTwoSlicesAreLateIfTheirWindowIsClosed() throws Exception {
        try (var harness = open()) {
            harness.send(withNextExpert(0, 0, 0, 1, 2, 3), withNextExpert(3, 0, 0, 31, 32, 33));
            harness.startWatermark(59_999);
            harness.runSlice(); // Expert 0 is decided.
            harness.send(withNextExpert(0, 1, 0, 4), withNextExpert(3, 1, 0, 34, 60_035));
            assertThat(harness.decided()).isEqualTo(Map.of(4, LATE, 34, LATE));
            harness.runSlices();

            assertThat(harness.decided())
                    .isEqualTo(
                            Map.of(
                                    1, ADMITTED, 2, ADMITTED, 4, LATE, 31, ADMITTED, 32, ADMITTED,
                                    34, LATE));
            assertThat(summaries(harness))
                    .extracting(WindowSummary::expert, WindowSummary::counts)
                    .containsExactlyInAnyOrder(
                            tuple(0, new WindowCounts(3, 2, 1, 0, 0, 0, 0, 0, 0)),
                            tuple(0, new WindowCounts(1, 0, 0, 0, 0, 0, 1, 0, 0)),
                            tuple(3, new WindowCounts(4, 2, 1, 0, 0, 0, 1, 0, 0)));
            harness.processWatermark(119_999);
            assertThat(harness.decided()).containsEntry(60_035, ADMITTED);
        }
    }

    @Test
    void finishRunsAllSlicesWithoutTimers() throws Exception {
        try (var harness = open()) {
            harness.send(inputs());
            harness.startWatermark(Long.MAX_VALUE);
            harness.runSlice();
            harness.getProcessingTimeService().quiesce();
            harness.getOperator().finish();

            assertThat(isComplete(harness)).isTrue();
            assertThat(harness.decided().values()).contains(ADMITTED, OVERFLOWED);
            assertThat(harness.getOutput()).endsWith(Watermark.MAX_WATERMARK);
            assertThat(harness.numKeyedStateEntries()).isZero();
        }
    }

    private static AdmissionInput[] inputs() {
        return twoWindows().toArray(AdmissionInput[]::new);
    }

    private AdmissionHarness open() throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(TWO_A_MINUTE)
                .admission(0);
    }
}
