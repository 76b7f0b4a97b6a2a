// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import static io.flinkmoe.runtime.dispatch.DispatchBlocks.LANES;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.admitted;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.kill;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.late;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.output;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.runSlices;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.sent;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.undecided;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.DispatchHarness;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.io.AvailabilityProvider.AvailabilityHelper;
import org.apache.flink.runtime.io.network.api.writer.ResultPartitionWriterWithAvailabilityHelper;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** When a dispatch sends: in slices, and while blocks arrive only if very many tokens are ready. */
@ParameterizedClass
@EnumSource
class DispatchSlicesTest {

    /** The tokens of a lane that may be ready before arriving blocks send some: 4 blocks. */
    private static final int MAX_READY = 4096;

    private static final int ROWS = MAX_READY / 4;

    @Parameter private Backend backend;
    @TempDir private static Path directory;
    private static Configuration options;

    @BeforeAll
    static void writeBundle() {
        options = DispatchBlocks.options(directory);
    }

    private DispatchHarness open() throws Exception {
        return OperatorHarnesses.of(options).stateBackend(backend.make()).dispatch(0);
    }

    @Test
    void nothingLeavesWithoutASlice() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(late(0, 0, "a@1"), undecided(0, 1, "a@2"));
            harness.send(admitted(0, 1, 0, 1));
            assertThat(harness.getOutput()).isEmpty();
            assertThat(harness.rows()).isEmpty();

            harness.runSlices();
            assertThat(sent(harness)).containsExactly("0/0: a@1", "0/1: a@2");
        }
    }

    @Test
    void oneSliceSendsOneBatch() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(late(0, 0, "a@1"), late(0, 1, "a@2"), late(0, 2, "a@3"));
            runSlices(harness, 1);
            assertThat(sent(harness)).containsExactly("0/0: a@1");
            runSlices(harness, 1);
            assertThat(sent(harness)).containsExactly("0/0: a@1", "0/1: a@2");
            harness.runSlices();
            assertThat(sent(harness)).hasSize(3);
        }
    }

    @Test
    void oneSliceSendsOneBatchOfAWatermarkToo() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1"), late(0, 1, "b@1", "a@2"), late(0, 2, "c@3"));
            harness.startWatermark(10);
            runSlices(harness, 1);
            assertThat(output(harness)).containsExactly("0/0: b@1", "watermark 0");
            runSlices(harness, 1);
            assertThat(sent(harness)).containsExactly("0/0: b@1", "0/1: c@3");
            harness.send(admitted(0, 0, 0, 1));
        }
    }

    @Test
    void batchWhoseTokensHaveAllLeftBeforeTakesNoSlice() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1"), late(0, 1, "b@2"), late(0, 2, "a@3"));
            harness.processBothWatermarks(new Watermark(10));
            assertThat(sent(harness)).containsExactly("0/0: b@2");
            harness.send(admitted(0, 0, 0, 1));
            runSlices(harness, 2);
            assertThat(sent(harness)).containsExactly("0/0: b@2", "0/1: a@1", "0/2: a@3");
        }
    }

    @Test
    void lanesTakeTurns() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(late(0, 0, "a@1"), late(0, 1, "a@2"), late(0, 2, "a@3"));
            harness.send(late(3, 0, "b@1"), late(3, 1, "b@2"), late(1, 0, "c@1"));
            harness.runSlices();
            assertThat(sent(harness))
                    .containsExactly(
                            "0/0: a@1", "3/0: b@1", "1/0: c@1", "0/1: a@2", "3/1: b@2", "0/2: a@3");
        }
    }

    @Test
    void watermarkStaysBehindTheTokensThatMayLeave() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@5"), undecided(1, 0, "b@7"));
            harness.send(admitted(0, 0, 0, 1), admitted(1, 0, 0, 1));
            harness.startWatermark(10);
            assertThat(harness.getOutput()).isEmpty();
            harness.runSlices();
            assertThat(output(harness))
                    .containsExactly("0/0: a@5", "watermark 6", "1/0: b@7", "watermark 10");
        }
    }

    @Test
    void noSliceRunsWhileAnOutputHasNoBuffers() throws Exception {
        AvailabilityHelper experts = new AvailabilityHelper();
        AvailabilityHelper combine = new AvailabilityHelper();
        experts.resetAvailable();
        try (DispatchHarness harness = open()) {
            harness.getEnvironment()
                    .addOutputs(
                            List.of(
                                    new ResultPartitionWriterWithAvailabilityHelper(experts),
                                    new ResultPartitionWriterWithAvailabilityHelper(combine)));
            harness.send(late(0, 0, "a@1"));
            harness.processBothWatermarks(new Watermark(10));
            assertThat(harness.getOutput()).isEmpty();

            combine.getUnavailableToResetAvailable().complete(null);
            harness.runSlices();
            assertThat(harness.extractOutputValues()).hasSize(1);
            assertThat(harness.getOutput()).endsWith(new Watermark(10));
        }
    }

    @Test
    void noSliceRunsAfterAStopWithSavepointHasQuiescedTheTimers() throws Exception {
        DispatchHarness harness = open();
        harness.send(late(0, 0, "a@1"), late(0, 1, "a@2"));
        runSlices(harness, 1);
        harness.getProcessingTimeService().quiesce();
        harness.send(late(0, 2, "a@3"));
        harness.runSlices();
        assertThat(sent(harness)).containsExactly("0/0: a@1");
        kill(harness);
    }

    @Test
    void undecidedTokensNeverMakeAnArrivingBlockSend() throws Exception {
        DispatchHarness harness = open();
        for (int batch = 0; batch < 6; batch++) {
            harness.send(undecided(0, batch, tokens(batch)));
        }
        assertThat(harness.getOutput()).isEmpty();
        kill(harness);
    }

    @Test
    void readyTokensBehindAnUndecidedOneNeverMakeAnArrivingBlockSend() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "s@0"));
            for (int batch = 1; batch < 7; batch++) {
                harness.send(late(0, batch, tokens(batch)));
            }
            assertThat(harness.getOutput()).isEmpty();
            assertThat(harness.rows()).isEmpty();
            harness.send(admitted(0, 0, 0, 1));
        }
    }

    @Test
    void whileMoreThanTheBoundAreReadyEachArrivingBlockSendsOneSlice() throws Exception {
        try (DispatchHarness harness = open()) {
            for (int batch = 0; batch < 4; batch++) {
                harness.send(late(0, batch, tokens(batch)));
            }
            assertThat(sent(harness)).as("as many as the bound").isEmpty();

            harness.send(late(0, 4, "s@0"));
            assertThat(sent(harness)).as("one more").hasSize(1);
            harness.send(late(0, 5, tokens(5)));
            assertThat(sent(harness)).hasSize(2);
            harness.send(late(0, 6, tokens(6)), late(0, 7, tokens(7)));
            assertThat(sent(harness)).hasSize(4);
            assertThat(harness.extractOutputValues())
                    .extracting(RoutedBlock::batch)
                    .containsExactly(0L, 1L, 2L, 3L);
            harness.send(late(0, 8, "s@0"));
            assertThat(sent(harness)).as("no more than the bound").hasSize(4);
        }
    }

    @Test
    void whatHasLeftBeforeABlockArrivesCountsForItButNoMoreThanOneSlice() throws Exception {
        try (DispatchHarness harness = open()) {
            for (int batch = 0; batch < 4; batch++) {
                harness.send(late(0, batch, tokens(batch)));
            }
            runSlices(harness, 1);
            harness.send(late(0, 4, tokens(4)), late(0, 5, tokens(5)));
            assertThat(sent(harness)).hasSize(1);
            runSlices(harness, 2);
            harness.send(late(0, 6, tokens(6)), late(0, 7, tokens(7)));
            assertThat(sent(harness)).hasSize(3);
            harness.send(late(0, 8, tokens(8)));
            assertThat(sent(harness)).hasSize(4);
        }
    }

    @Test
    void smallBlocksSendOneSliceTogether() throws Exception {
        try (DispatchHarness harness = open()) {
            for (int batch = 0; batch < 5; batch++) {
                harness.send(late(0, batch, tokens(batch)));
            }
            assertThat(sent(harness)).hasSize(1);
            String[] half = Arrays.copyOf(tokens(5), ROWS / 2);
            harness.send(late(0, 5, half), late(0, 6, half));
            assertThat(sent(harness)).hasSize(2);
            harness.send(late(0, 7, half), late(0, 8, half));
            assertThat(sent(harness)).hasSize(3);
        }
    }

    @Test
    void readyTokensOfOtherLanesDoNotCount() throws Exception {
        try (DispatchHarness harness = open()) {
            for (int lane = 0; lane < LANES; lane++) {
                harness.send(late(lane, 0, tokens(0)), late(lane, 1, tokens(1)));
            }
            assertThat(sent(harness)).isEmpty();
        }
    }

    @Test
    void decisionsOnlyRecordHoweverManyTokensAreReady() throws Exception {
        try (DispatchHarness harness = open()) {
            for (int batch = 0; batch < 6; batch++) {
                harness.send(undecided(0, batch, tokens(batch)));
            }
            for (int batch = 0; batch < 6; batch++) {
                harness.send(admitted(0, batch, allChoices()));
            }
            assertThat(harness.getOutput()).isEmpty();
            assertThat(harness.rows()).isEmpty();

            harness.send(undecided(0, 6, "s@0"));
            assertThat(sent(harness)).hasSize(1);
            harness.send(admitted(0, 6, 0, 1));
            assertThat(sent(harness)).hasSize(1);
        }
    }

    private static String[] tokens(int batch) {
        String[] tokens = new String[ROWS];
        Arrays.fill(tokens, "s@" + batch);
        return tokens;
    }

    private static int[] allChoices() {
        int[] choices = new int[ROWS * DispatchBlocks.K];
        Arrays.setAll(choices, choice -> choice);
        return choices;
    }
}
