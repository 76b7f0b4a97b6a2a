// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import static io.flinkmoe.runtime.dispatch.DispatchBlocks.LANES;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.admitted;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.block;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.decided;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.kill;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.late;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.output;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.runSlices;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.sent;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.undecided;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.DecisionBlock.OfBatch;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.DispatchHarness;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** The end of a dispatch's input, and restarts. */
@ParameterizedClass
@EnumSource
class DispatchRestartTest {

    /** What {@link #sendTwoBatchesToEachLane} sends, lane by lane. */
    private static final List<List<String>> BATCHES =
            List.of(
                    List.of("0/0: a@1 a@2", "0/1: a@3"),
                    List.of("1/0: b@1 b@2", "1/1: b@3"),
                    List.of("2/0: c@1 c@2", "2/1: c@3"),
                    List.of("3/0: d@1 d@2", "3/1: d@3"));

    @Parameter private Backend backend;
    @TempDir private static Path directory;
    private static Configuration options;

    @BeforeAll
    static void writeBundle() {
        options = DispatchBlocks.options(directory);
    }

    private DispatchHarness open(int subtask, int parallelism, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .subtask(subtask, parallelism)
                .restore(states)
                .dispatch(0);
    }

    private DispatchHarness open(OperatorSubtaskState... states) throws Exception {
        return open(0, 1, states);
    }

    private static OperatorSubtaskState snapshotAndKill(DispatchHarness harness) throws Exception {
        OperatorSubtaskState state = harness.snapshot(1, 1);
        kill(harness);
        return state;
    }

    @Test
    void endOfInputDrainsTheSlicesAndThenTheWatermark() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@5", "b@6"), late(0, 1, "a@7"), late(1, 0, "c@8"));
            harness.send(admitted(0, 0, 0, 1, 2, 3));
            harness.startWatermark(Long.MAX_VALUE);
            harness.getProcessingTimeService().quiesce(); // As a task does before.
            assertThat(harness.getOutput()).isEmpty();

            harness.getOperator().finish();
            assertThat(output(harness))
                    .containsExactly(
                            "1/0: c@8",
                            "watermark 4",
                            "0/0: a@5 b@6",
                            "0/1: a@7",
                            "watermark " + Long.MAX_VALUE);
            assertThat(harness.rows()).hasSize(3);
        }
    }

    @Test
    void endOfInputIsRefusedWhileATokenWaitsForDecisions() throws Exception {
        DispatchHarness harness = open();
        harness.send(late(1, 0, "b@1"), undecided(2, 0, "a@1", "c@1"));
        harness.send(admitted(2, 0, 0, 1, 2));
        harness.startWatermark(Long.MAX_VALUE);
        assertThatThrownBy(() -> harness.getOperator().finish())
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("lane 2");
        assertThat(sent(harness)).as("all that may leave").containsExactly("1/0: b@1", "2/0: a@1");
        kill(harness);
    }

    @Test
    void endOfInputIsRefusedWhileDecisionsWaitForTheirVectors() throws Exception {
        DispatchHarness harness = open();
        harness.send(admitted(3, 0, 0, 1));
        assertThatThrownBy(() -> harness.getOperator().finish()).hasMessageContaining("lane 3");
        kill(harness);
    }

    /** Flink gives each subtask the entries of all of them. */
    @Test
    void aJobWithoutALogForgetsTheParallelismOfTheLog() throws Exception {
        ListStateDescriptor<Integer> parallelism =
                new ListStateDescriptor<>("parallelism-of-log", IntSerializer.INSTANCE);
        DispatchHarness killed = open();
        OperatorStateStore logged = killed.getOperator().getOperatorStateBackend();
        logged.getUnionListState(parallelism).addAll(List.of(2, 2));
        try (DispatchHarness harness = open(snapshotAndKill(killed))) {
            OperatorStateStore store = harness.getOperator().getOperatorStateBackend();
            assertThat(store.getRegisteredStateNames()).contains("parallelism-of-log");
            assertThat(store.getUnionListState(parallelism).get()).isEmpty();
        }
    }

    @Test
    void decidedTokensLeaveAfterARestartWithoutNewInput() throws Exception {
        DispatchHarness killed = open();
        killed.send(undecided(0, 0, "a@1"), undecided(1, 0, "b@1", "c@2"), late(1, 1, "d@3"));
        killed.send(admitted(0, 0, 0, 1), admitted(1, 0, 2, 3));
        OperatorSubtaskState state = snapshotAndKill(killed);
        assertThat(killed.getOutput()).isEmpty();

        try (DispatchHarness harness = open(state)) {
            assertThat(harness.getOutput()).as("before the first slice").isEmpty();
            harness.runSlices();
            assertThat(sent(harness)).containsExactlyInAnyOrder("0/0: a@1", "1/0: c@2", "1/1: d@3");
            harness.send(admitted(1, 0, 0, 1));
        }
    }

    @Test
    void decidedTokensOfAStateThatWasRestoredTwiceLeaveOnce() throws Exception {
        DispatchHarness killed = open();
        killed.send(undecided(0, 0, "a@1", "b@2"));
        killed.send(admitted(0, 0, 2, 3));
        OperatorSubtaskState state = snapshotAndKill(open(snapshotAndKill(killed)));
        DispatchHarness restored = open(state);
        restored.runSlices();
        assertThat(sent(restored)).containsExactly("0/0: b@2");

        try (DispatchHarness harness = open(snapshotAndKill(restored))) {
            harness.runSlices();
            assertThat(harness.getOutput()).isEmpty();
            harness.send(admitted(0, 0, 0, 1));
            harness.runSlices();
            assertThat(sent(harness)).containsExactly("0/1: a@1");
        }
    }

    @Test
    void restoredTokenHoldsTheWatermarkBack() throws Exception {
        DispatchHarness killed = open();
        killed.send(undecided(0, 0, "a@5", "b@3"), late(0, 1, "a@1"));
        killed.send(admitted(0, 0, 2, 3));
        killed.processBothWatermarks(new Watermark(10));
        assertThat(output(killed)).containsExactly("0/0: b@3", "watermark 4");

        try (DispatchHarness harness = open(snapshotAndKill(killed))) {
            harness.processBothWatermarks(new Watermark(10));
            assertThat(output(harness)).containsExactly("watermark 4");
            harness.send(admitted(0, 0, 0, 1));
        }
    }

    @Test
    void numbersOfALaneGoOnFromItsFirstBatch() throws Exception {
        DispatchHarness killed = open();
        killed.send(admitted(0, 7, 2, 3), admitted(1, 3, 0, 1));
        killed = open(snapshotAndKill(killed));
        killed.send(undecided(0, 7, "a@5", "b@6"));
        killed = open(snapshotAndKill(killed));
        killed.runSlices();
        assertThat(sent(killed)).containsExactly("0/7: b@6");

        try (DispatchHarness harness = open(snapshotAndKill(killed))) {
            harness.send(undecided(0, 8, "a@7"), undecided(1, 3, "c@8"));
            harness.send(admitted(0, 8, 0, 1), admitted(0, 7, 0, 1));
            harness.runSlices();
            assertThat(sent(harness)).containsExactlyInAnyOrder("1/3: c@8", "0/8: a@5", "0/9: a@7");
        }
    }

    @Test
    void whatIsDecidedIsRestored() throws Exception {
        DispatchHarness killed = open();
        killed.send(undecided(0, 0, "a@1", "b@2"), undecided(0, 1, "c@3"));
        killed.send(
                block(
                        0,
                        new OfBatch(
                                0,
                                1,
                                new int[] {2, 3},
                                new byte[] {Choices.PENDING, Outcome.OVERFLOWED.code()},
                                new float[] {0.5f, 0.25f})));
        killed.send(decided(0, 1, 1, Outcome.LATE.code(), 0), admitted(0, 2, 0));

        try (DispatchHarness harness = open(snapshotAndKill(killed))) {
            harness.runSlices();
            harness.send(undecided(0, 2, "c@4"));
            harness.send(admitted(0, 0, 0, 1), admitted(0, 1, 1), admitted(0, 2, 1));
            harness.runSlices();

            List<RoutedBlock> blocks = harness.extractOutputValues();
            assertThat(sent(harness))
                    .containsExactly("0/0: b@2", "0/1: a@1", "0/2: c@3", "0/3: c@4");
            assertThat(blocks.get(0).choices().outcomes())
                    .containsExactly(Choices.PENDING, Outcome.OVERFLOWED.code());
            assertThat(blocks.get(0).choices().attempts()).containsExactly(1, 1);
            assertThat(blocks.get(0).choices().weights()).containsExactly(10, 11, 0.5f, 0.25f);
            assertThat(blocks.get(2).choices().outcomes())
                    .containsExactly(Outcome.LATE.code(), Choices.PENDING);
            assertThat(harness.rows())
                    .extracting(ExpertRows::expert)
                    .containsExactly(3, 0, 1, 1, 0, 1);
        }
    }

    @Test
    void snapshotBetweenTwoSlicesSendsTheRestOnce() throws Exception {
        for (int slices = 0; slices <= 8; slices += 2) {
            DispatchHarness killed = open();
            sendTwoBatchesToEachLane(killed, 0, 1);
            runSlices(killed, slices);
            List<String> output = new ArrayList<>(sent(killed));
            assertThat(output).hasSize(slices);
            try (DispatchHarness harness = open(snapshotAndKill(killed))) {
                harness.runSlices();
                output.addAll(sent(harness));
            }
            assertSentOnceAndInOrder(output);
        }
    }

    @Test
    void snapshotBetweenTwoSlicesSendsTheRestOnceAtAHigherParallelism() throws Exception {
        for (int slices = 0; slices <= 8; slices += 2) {
            DispatchHarness killed = open();
            sendTwoBatchesToEachLane(killed, 0, 1);
            runSlices(killed, slices);
            List<String> output = new ArrayList<>(sent(killed));
            OperatorSubtaskState state = snapshotAndKill(killed);
            for (int subtask = 0; subtask < 2; subtask++) {
                try (DispatchHarness harness = open(subtask, 2, state)) {
                    harness.runSlices();
                    output.addAll(sent(harness));
                }
            }
            assertSentOnceAndInOrder(output);
        }
    }

    @Test
    void snapshotBetweenTwoSlicesSendsTheRestOnceAtALowerParallelism() throws Exception {
        for (int slices = 0; slices <= 4; slices += 2) {
            List<String> output = new ArrayList<>();
            OperatorSubtaskState[] states = new OperatorSubtaskState[2];
            for (int subtask = 0; subtask < 2; subtask++) {
                DispatchHarness killed = open(subtask, 2);
                sendTwoBatchesToEachLane(killed, subtask, 2);
                runSlices(killed, subtask == 0 ? slices : 4 - slices);
                output.addAll(sent(killed));
                states[subtask] = snapshotAndKill(killed);
            }
            assertThat(output).hasSize(4);
            try (DispatchHarness harness = open(states)) {
                harness.runSlices();
                output.addAll(sent(harness));
            }
            assertSentOnceAndInOrder(output);
        }
    }

    /** Sends to all lanes of a subtask. */
    private static void sendTwoBatchesToEachLane(
            DispatchHarness harness, int subtask, int parallelism) throws Exception {
        for (int lane = 0; lane < LANES; lane++) {
            if (new EvenKeys(LANES).subtaskOf(lane, parallelism) == subtask) {
                String stream = "abcd".substring(lane, lane + 1);
                harness.send(undecided(lane, 0, stream + "@1", stream + "@2"));
                harness.send(late(lane, 1, stream + "@3"));
                harness.send(admitted(lane, 0, 0, 1, 2, 3));
            }
        }
    }

    private static void assertSentOnceAndInOrder(List<String> output) {
        assertThat(output).hasSize(2 * LANES);
        BATCHES.forEach(ofLane -> assertThat(output).containsSubsequence(ofLane));
    }
}
