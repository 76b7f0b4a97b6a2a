// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.ExpertHarness;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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

/** Overflow that goes to the next expert, seen from a single round. */
@ParameterizedClass
@EnumSource
class ExpertRoundsTest {

    private static final int N = 4;
    private static final TumblingWindows MINUTE = new TumblingWindows(60_000);
    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        options = ExpertBlocks.options(NumberedBundle.write(directory.resolve("bundle"), N, 1, 1));
    }

    @Test
    void passesOverflowAndTheRoomLeftOnBeforeTheWatermark() throws Exception {
        try (var harness = open(prioritized(2), 0)) {
            harness.send(block(1, 0, 0, 0, 1, 2), block(2, 1, 0, 5));
            harness.processWatermark(59_999);

            assertThat(harness.outcomes())
                    .isEqualTo(
                            Map.of(0, Outcome.EXECUTED, 1, Outcome.EXECUTED, 5, Outcome.EXECUTED));
            assertThat(retries(harness))
                    .containsExactlyInAnyOrder(
                            "expert 2, attempt 1: [2]",
                            "expert 1 has room for 0",
                            "expert 2 has room for 1");
            assertThat(harness.getOutput()).endsWith(new Watermark(59_999));
            assertThat(harness.numKeyedStateEntries()).isZero();
        }
    }

    @Test
    void givesTheNextRoundNoMoreThanTheRoomLeft() throws Exception {
        try (var harness = open(prioritized(2), 1)) {
            harness.send(block(2, 0, 1, 3, 4, 5), new RemainingCapacity(2, 0, 1));
            harness.send(block(3, 1, 1, 7, 8, 9));
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.processWatermark(59_999);

            // Expert 3 has heard of no room taken: it has all of it, for two.
            assertThat(harness.outcomes())
                    .isEqualTo(
                            Map.of(
                                    3, Outcome.EXECUTED,
                                    7, Outcome.EXECUTED,
                                    8, Outcome.EXECUTED,
                                    4, Outcome.OVERFLOWED,
                                    5, Outcome.OVERFLOWED,
                                    9, Outcome.OVERFLOWED));
            assertThat(harness.extractOutputValues()).allMatch(answer -> answer.attempt() == 1);
            assertThat(retries(harness)).isEmpty();
            assertThat(harness.numKeyedStateEntries()).isZero();
        }
    }

    @Test
    void saysNothingOfTheRoomWhenWhatCameLateIsClosedOnceMore() throws Exception {
        try (var harness = open(prioritized(2), 0)) {
            harness.send(block(1, 0, 0, 1));
            harness.processWatermark(59_999);
            assertThat(retries(harness)).containsExactly("expert 1 has room for 1");
            harness.send(block(1, 1, 0, 2));
            harness.processWatermark(119_999);
            assertThat(harness.outcomes()).containsEntry(2, Outcome.LATE);
            assertThat(retries(harness)).containsExactly("expert 1 has room for 1");
        }
    }

    @Test
    void passesOnAtOnceWhatFirstComeAdmissionTurnsAway() throws Exception {
        Capacity capacity = FirstCome.of(MINUTE, 1).withOverflowRounds(1);
        try (var harness = open(capacity, 0)) {
            harness.send(block(1, 0, 0, 1, 2));
            assertThat(retries(harness)).containsExactly("expert 2, attempt 1: [2]");
            harness.processWatermark(59_999);
            assertThat(harness.outcomes()).isEqualTo(Map.of(1, Outcome.EXECUTED));
            assertThat(retries(harness)).endsWith("expert 1 has room for 0");
        }
        try (var harness = open(capacity, 1)) {
            harness.send(block(2, 0, 1, 2), new RemainingCapacity(2, 0, 0));
            harness.processWatermark(59_998);
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.processWatermark(59_999);
            assertThat(harness.outcomes()).isEqualTo(Map.of(2, Outcome.OVERFLOWED));
        }
    }

    @Test
    void answersWhatHasNoExpertLeftToTry() throws Exception {
        try (var harness = open(prioritized(0), 0)) {
            DispatchBlock last = block(1, 0, 0, 1);
            last.priorities().nextExperts()[0] = -1;
            harness.send(last);
            harness.processWatermark(59_999);
            assertThat(harness.outcomes()).isEqualTo(Map.of(1, Outcome.OVERFLOWED));
        }
    }

    @Test
    void keepsRowsAndRoomOverARestore() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(prioritized(2), 1)) {
            harness.send(block(2, 0, 1, 3, 4), new RemainingCapacity(2, 0, 1));
            state = harness.snapshot(1, 1);
        }
        try (var harness = open(prioritized(2), 1, state)) {
            harness.processWatermark(59_999);
            assertThat(harness.outcomes())
                    .isEqualTo(Map.of(3, Outcome.EXECUTED, 4, Outcome.OVERFLOWED));
        }
    }

    private static Capacity prioritized(int rows) {
        return AtWindowClose.of(MINUTE, CapacityFormula.fixed(rows), AdmissionOrder.POSITION)
                .withOverflowRounds(1);
    }

    private ExpertHarness open(Capacity capacity, int round, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(capacity)
                .restore(states)
                .expert(0, round);
    }

    /** Rows of one choice each that try the expert after this one next. */
    private static DispatchBlock block(int expert, long batch, int attempt, int... choices) {
        long[] timestamps = new long[choices.length];
        Priorities priorities = Priorities.ofRows(choices.length, 2);
        for (int row = 0; row < choices.length; row++) {
            timestamps[row] = choices[row];
            priorities.streams()[row] = "s";
            priorities.positions()[row] = choices[row];
            priorities.nextExperts()[row] = expert + 1;
        }
        Vectors vectors = Vectors.of(new byte[choices.length * N * Float.BYTES]);
        return new DispatchBlock(
                expert, 0, batch, attempt, choices, timestamps, priorities, vectors);
    }

    private static List<String> retries(ExpertHarness harness) {
        List<String> retries = new ArrayList<>();
        var records = harness.getSideOutput(Expert.NEXT_ROUND);
        if (records != null) {
            for (StreamRecord<ExpertInput> record : records) {
                retries.add(
                        record.getValue() instanceof DispatchBlock block
                                ? "expert %d, attempt %d: %s"
                                        .formatted(
                                                block.expert(),
                                                block.attempt(),
                                                Arrays.toString(block.choices()))
                                : "expert %d has room for %d"
                                        .formatted(
                                                record.getValue().expert(),
                                                ((RemainingCapacity) record.getValue())
                                                        .remaining()));
            }
        }
        return retries;
    }
}
