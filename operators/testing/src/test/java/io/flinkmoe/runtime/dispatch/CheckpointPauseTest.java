// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import static io.flinkmoe.runtime.dispatch.DispatchBlocks.admitted;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.late;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.sent;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.undecided;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.runtime.slices.CheckpointAhead;
import io.flinkmoe.testing.DispatchHarness;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A dispatch sends nothing from the announcement of a checkpoint until its barrier has passed. */
class CheckpointPauseTest {

    /** The tokens of a lane that may be ready before arriving blocks send some: 4 blocks. */
    private static final int ROWS = 4096 / 4;

    /** In milliseconds. */
    private static final long PAUSE = 5000;

    @TempDir private static Path directory;
    private static Configuration options;

    @AutoClose private DispatchHarness harness;

    @BeforeAll
    static void writeBundle() {
        options = DispatchBlocks.options(directory);
    }

    @BeforeEach
    void open() throws Exception {
        harness = OperatorHarnesses.of(options).dispatch(0);
    }

    private void announce(long checkpointId) {
        ((Dispatch) harness.getOperator()).handleOperatorEvent(new CheckpointAhead(checkpointId));
    }

    private void send(int fromBatch, int toBatch) throws Exception {
        for (int batch = fromBatch; batch < toBatch; batch++) {
            String[] tokens = new String[ROWS];
            Arrays.fill(tokens, "s@" + batch);
            harness.send(late(0, batch, tokens));
        }
    }

    @Test
    void slicesRunAgainAfterTheBarrier() throws Exception {
        harness.send(late(0, 0, "a@1"));
        announce(1);
        harness.runSlices();
        harness.send(undecided(0, 1, "a@2"), late(1, 0, "b@1"));
        harness.send(admitted(0, 1, 0, 1));
        harness.processBothWatermarks(new Watermark(5));
        assertThat(harness.getOutput()).isEmpty();

        harness.snapshot(1, 1);
        harness.runSlices();
        assertThat(sent(harness)).containsExactly("0/0: a@1", "1/0: b@1", "0/1: a@2");
        assertThat(harness.getOutput()).endsWith(new Watermark(5));
    }

    @Test
    void arrivingBlocksSendForThoseInFrontOfTheBarrierOnlyAfterIt() throws Exception {
        send(0, 5);
        assertThat(sent(harness)).hasSize(1);
        announce(1);
        send(5, 7);
        assertThat(sent(harness)).hasSize(1);
        harness.snapshot(1, 1);
        send(7, 8);
        assertThat(sent(harness)).as("its own and one of those before").hasSize(3);
    }

    @Test
    void anAbortedCheckpointPausesNoLonger() throws Exception {
        harness.send(late(0, 0, "a@1"));
        announce(2);
        harness.getOperator().notifyCheckpointAborted(1);
        harness.getOperator().notifyCheckpointAborted(3);
        harness.runSlices();
        assertThat(sent(harness)).as("another one").isEmpty();
        harness.getOperator().notifyCheckpointAborted(2);
        harness.runSlices();
        assertThat(sent(harness)).containsExactly("0/0: a@1");
    }

    @Test
    void theBarrierOfAnEarlierCheckpointEndsNoPause() throws Exception {
        harness.send(late(0, 0, "a@1"));
        announce(1);
        announce(2);
        harness.snapshot(1, 1);
        harness.runSlices();
        assertThat(sent(harness)).isEmpty();
        harness.snapshot(2, 2);
        harness.runSlices();
        assertThat(sent(harness)).containsExactly("0/0: a@1");
    }

    @Test
    void anAnnouncementThatArrivesTooLatePausesNothing() throws Exception {
        harness.send(late(0, 0, "a@1"), late(0, 1, "a@2"));
        harness.getOperator().notifyCheckpointAborted(2);
        announce(2);
        harness.runSlice();
        assertThat(sent(harness)).containsExactly("0/0: a@1");
        harness.snapshot(3, 3);
        announce(3);
        harness.runSlices();
        assertThat(sent(harness)).hasSize(2);
    }

    @Test
    void aBarrierThatDoesNotComeHoldsNothingUpForLong() throws Exception {
        harness.setProcessingTime(1000);
        harness.send(late(0, 0, "a@1"));
        announce(1);
        harness.setProcessingTime(999 + PAUSE);
        announce(2);
        assertThat(harness.getOutput()).isEmpty();
        harness.setProcessingTime(1000 + PAUSE);
        harness.runSlices();
        assertThat(sent(harness)).containsExactly("0/0: a@1");
    }

    @ParameterizedTest(name = "pause {0} ms, slices for {1} ms")
    @CsvSource({"60, 60", "300, 100", "2000, 500"})
    void betweenTwoPausesSlicesRun(long first, long slices) throws Exception {
        announce(1);
        harness.setProcessingTime(first);
        harness.snapshot(1, first);
        announce(2);
        harness.send(late(0, 0, "a@1"));
        long second = first + slices;
        harness.setProcessingTime(second - 1);
        assertThat(sent(harness)).containsExactly("0/0: a@1");

        harness.setProcessingTime(second);
        harness.send(late(0, 1, "a@2"));
        harness.setProcessingTime(second + 100);
        assertThat(sent(harness)).as("paused").hasSize(1);
        harness.snapshot(2, second + 100);
        harness.runSlices();
        assertThat(sent(harness)).hasSize(2);
    }

    @Test
    void afterAPauseThatHadToBeEndedSlicesRunAsLongAsItTook() throws Exception {
        announce(1);
        harness.setProcessingTime(PAUSE);
        announce(2);
        harness.setProcessingTime(2 * PAUSE - 1);
        harness.send(late(0, 0, "a@1"));
        harness.runSlices();
        assertThat(sent(harness)).containsExactly("0/0: a@1");
        harness.setProcessingTime(2 * PAUSE);
        harness.send(late(0, 1, "a@2"));
        harness.runSlices();
        assertThat(sent(harness)).as("paused").hasSize(1);
    }

    @Test
    void aBarrierThatComesBeforeThePauseMayStartPreventsIt() throws Exception {
        announce(1);
        harness.setProcessingTime(300);
        harness.snapshot(1, 300);
        announce(2);
        harness.snapshot(2, 400);
        harness.setProcessingTime(600);
        harness.send(late(0, 0, "a@1"));
        harness.runSlices();
        assertThat(sent(harness)).containsExactly("0/0: a@1");
    }

    @Test
    void theEndOfTheInputSendsAllInAPause() throws Exception {
        harness.send(late(0, 0, "a@1"), late(0, 1, "a@2"));
        announce(1);
        harness.getOperator().finish();
        assertThat(sent(harness)).containsExactly("0/0: a@1", "0/1: a@2");
    }
}
