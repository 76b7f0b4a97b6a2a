// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import static io.flinkmoe.runtime.admission.AdmissionBlocks.ADMITTED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.MINUTE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.N;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.OVERFLOWED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.nextRound;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.sent;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.summaries;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.twoWindows;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.withNextExpert;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.runtime.block.AdmissionInput;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.testing.AdmissionHarness;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.ArrayList;
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

/** Checkpoints between two slices: nothing is lost, and nothing is decided or sent twice. */
@ParameterizedClass
@EnumSource
class AdmissionCheckpointsTest {

    private static final Capacity TWO_A_MINUTE =
            AtWindowClose.of(MINUTE, CapacityFormula.fixed(2), AdmissionOrder.POSITION)
                    .withOverflowRounds(1);
    private static final long END = 119_999;

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;
    private Capacity capacity = TWO_A_MINUTE;

    /** What is sent without a restart. */
    private List<String> expected;

    /** A checkpoint of a subtask, and what it sent before. */
    private record Checkpoint(OperatorSubtaskState state, List<String> sent, boolean hasMore) {}

    @BeforeEach
    void decideWithoutARestart() throws Exception {
        options = AdmissionBlocks.options(directory.resolve("bundle"), 1);
        try (var harness = restore(0, 1)) {
            harness.send(inputs(0, 1));
            harness.processWatermark(END);
            expected = sent(harness);
        }
        // Three decisions, two blocks and the capacity left for the next round, and a summary.
        assertThat(expected).hasSize(2 * N * 7).doesNotHaveDuplicates();
    }

    @Test
    void aRestoreBetweenAnyTwoSlicesLosesAndRepeatsNothing() throws Exception {
        boolean hasMore = true;
        for (int slices = 0; hasMore; slices++) {
            Checkpoint checkpoint = checkpoint(slices, 0, 1);
            hasMore = checkpoint.hasMore;
            List<String> all = new ArrayList<>(checkpoint.sent);
            try (var harness = restore(0, 1, checkpoint.state)) {
                harness.runSlices();
                all.addAll(sent(harness));
            }
            assertThat(all).containsExactlyInAnyOrderElementsOf(expected);
        }
    }

    @Test
    void aRestoreWithTwoSubtasksLosesAndRepeatsNothing() throws Exception {
        boolean hasMore = true;
        for (int slices = 0; hasMore; slices += 3) {
            Checkpoint checkpoint = checkpoint(slices, 0, 1);
            hasMore = checkpoint.hasMore;
            List<String> all = new ArrayList<>(checkpoint.sent);
            for (int subtask = 0; subtask < 2; subtask++) {
                try (var harness = restore(subtask, 2, checkpoint.state)) {
                    harness.runSlices();
                    all.addAll(sent(harness));
                }
            }
            assertThat(all).containsExactlyInAnyOrderElementsOf(expected);
        }
    }

    @Test
    void aRestoreWithOneSubtaskLosesAndRepeatsNothing() throws Exception {
        for (int slices = 0; slices < 8; slices++) {
            Checkpoint low = checkpoint(slices, 0, 2);
            Checkpoint high = checkpoint(7 - slices, 1, 2);
            List<String> all = new ArrayList<>(low.sent);
            all.addAll(high.sent);
            try (var harness = restore(0, 1, low.state, high.state)) {
                harness.runSlices();
                all.addAll(sent(harness));
            }
            assertThat(all).containsExactlyInAnyOrderElementsOf(expected);
        }
    }

    @Test
    void manyCheckpointsChangeNothing() throws Exception {
        try (var harness = restore(0, 1)) {
            harness.send(inputs(0, 1));
            harness.startWatermark(END);
            long id = 1;
            while (harness.runSlice()) {
                harness.snapshot(id, id);
                id++;
            }
            assertThat(sent(harness)).containsExactlyInAnyOrderElementsOf(expected);
            assertThat(harness.getOutput()).endsWith(new Watermark(END));
            assertThat(harness.numKeyedStateEntries())
                    .as("the watermarks of the experts")
                    .isEqualTo(N);
        }
    }

    @Test
    void decisionsThatWereNotSentAreInTheStateAndSentWithoutInput() throws Exception {
        Checkpoint checkpoint = checkpoint(1, 0, 1);
        assertThat(checkpoint.sent).as("the summary of expert 0").hasSize(1);
        try (var harness = restore(0, 1, checkpoint.state)) {
            // Two records with decisions, three for the next round. None is decided again.
            for (int record = 0; record < 5; record++) {
                harness.runSlice();
            }
            assertThat(harness.decided())
                    .isEqualTo(Map.of(0, ADMITTED, 1, ADMITTED, 2, OVERFLOWED));
            assertThat(nextRound(harness))
                    .containsExactly(
                            "expert 1, attempt 1: [3]",
                            "expert 1, attempt 1: [4]",
                            "expert 0, window 0: capacity 0 left");
            assertThat(summaries(harness)).isEmpty();
        }
    }

    @Test
    void decisionsThatWereSentAreGoneFromTheNextCheckpoint() throws Exception {
        OperatorSubtaskState state;
        List<String> all;
        Checkpoint checkpoint = checkpoint(1, 0, 1);
        try (var harness = restore(0, 1, checkpoint.state)) {
            harness.runSlices();
            all = sent(harness);
            state = harness.snapshot(2, 2);
        }
        all.addAll(checkpoint.sent);
        assertThat(all).containsExactlyInAnyOrderElementsOf(expected);
        try (var harness = restore(0, 1, state)) {
            harness.runSlices();
            assertThat(sent(harness)).isEmpty();
            assertThat(harness.numKeyedStateEntries()).isEqualTo(N);
        }
    }

    @Test
    void afterARestoreTheWatermarkFollowsTheLastDecision() throws Exception {
        Checkpoint checkpoint = checkpoint(3, 0, 1);
        try (var harness = restore(0, 1, checkpoint.state)) {
            harness.startWatermark(END);
            assertThat(harness.getOutput()).isEmpty();
            harness.runSlices();
            assertThat(sent(harness)).hasSize(expected.size() - checkpoint.sent.size());
            assertThat(harness.getOutput())
                    .endsWith(new Watermark(END))
                    .filteredOn(Watermark.class::isInstance)
                    .hasSize(1);
        }
    }

    /** The watermark of the checkpoint has not closed the second window. */
    @Test
    void afterARestoreTheNextWatermarkClosesTheNextWindow() throws Exception {
        OperatorSubtaskState state;
        List<String> all;
        try (var harness = restore(0, 1)) {
            harness.send(inputs(0, 1));
            harness.startWatermark(59_999);
            harness.runSlice();
            state = harness.snapshot(1, 1);
            all = sent(harness);
        }
        try (var harness = restore(0, 1, state)) {
            harness.runSlices();
            assertThat(harness.decided()).hasSize(N * 3);
            harness.processWatermark(END);
            all.addAll(sent(harness));
            assertThat(harness.getOutput()).endsWith(new Watermark(END));
        }
        assertThat(all).containsExactlyInAnyOrderElementsOf(expected);
    }

    @Test
    void aWindowThatWasClosedButNotDecidedIsClosedAfterARestore() throws Exception {
        capacity = FirstCome.of(MINUTE, 1).withOverflowRounds(1);
        OperatorSubtaskState state;
        try (var harness = restore(0, 1)) {
            harness.send(withNextExpert(1, 0, 0, 0), withNextExpert(1, 1, 0, 1, 60_000));
            harness.startWatermark(59_999);
            assertThat(nextRound(harness)).containsExactly("expert 2, attempt 1: [1]");
            assertThat(summaries(harness)).isEmpty();
            state = harness.snapshot(1, 1);
        }
        try (var harness = restore(0, 1, state)) {
            harness.runSlices();
            assertThat(nextRound(harness)).containsExactly("expert 1, window 0: capacity 0 left");
            assertThat(summaries(harness)).hasSize(1);
            assertThat(harness.getOutput()).isEmpty();
        }
    }

    /** Takes a checkpoint of a subtask after some slices, before it has finished. */
    private Checkpoint checkpoint(int slices, int subtask, int parallelism) throws Exception {
        try (var harness = restore(subtask, parallelism)) {
            harness.send(inputs(subtask, parallelism));
            harness.startWatermark(END);
            boolean hasMore = true;
            for (int slice = 0; slice < slices; slice++) {
                hasMore = harness.runSlice();
            }
            return new Checkpoint(harness.snapshot(1, 1), sent(harness), hasMore);
        }
    }

    /** The choices for the experts of a subtask. */
    private static AdmissionInput[] inputs(int subtask, int parallelism) {
        EvenKeys experts = new EvenKeys(N);
        return twoWindows().stream()
                .filter(block -> experts.subtaskOf(block.expert(), parallelism) == subtask)
                .toArray(AdmissionInput[]::new);
    }

    private AdmissionHarness restore(int subtask, int parallelism, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(capacity)
                .subtask(subtask, parallelism)
                .restore(states)
                .admission(0);
    }
}
