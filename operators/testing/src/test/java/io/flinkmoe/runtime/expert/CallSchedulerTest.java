// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.config.ExpertBatching;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.ExpertModel;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.layer.CallBuffers;
import io.flinkmoe.runtime.layer.ExpertCalls;
import io.flinkmoe.runtime.layer.ExpertMetrics;
import io.flinkmoe.testing.NumberedBundle;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CallSchedulerTest {

    private static final int N = 4;
    private static final int BATCH = 8;
    private static final int MAX_DEFERRALS = 8;

    @TempDir private Path directory;

    private final List<ExpertCalls> experts = new ArrayList<>();
    private BundleSessions sessions;
    private CallScheduler scheduler;

    @BeforeEach
    void openExperts() throws Exception {
        sessions = new BundleSessions(NumberedBundle.write(directory.resolve("bundle"), N, 2, 1));
        CallBuffers.Shared buffers =
                new CallBuffers.Shared(new ExpertBatching(BATCH, Duration.ZERO, false));
        for (int expert = 0; expert < N; expert++) {
            ExpertModel model = sessions.expert(0, expert);
            experts.add(
                    new ExpertCalls(
                            model,
                            buffers.of(model),
                            (failed, rows, cause) -> {},
                            new ExpertMetrics()));
        }
        scheduler = new CallScheduler(experts);
    }

    @AfterEach
    void closeExperts() {
        sessions.close();
    }

    @Test
    void choosesTheFullestCallFirst() throws Exception {
        add(1, 2);
        add(0, 5);
        add(3, 1);
        assertThat(runAll(false)).containsExactly(0, 1, 3);
        assertThat(scheduler.next(false)).isEqualTo(CallScheduler.NONE);
    }

    @Test
    void letsInputFillCallsFirst() throws Exception {
        add(2, 5);
        assertThat(runAll(true)).isEmpty();
        add(2, 2);
        assertThat(experts.get(2).isFull()).isFalse();
        add(2, 1);
        assertThat(experts.get(2).isFull()).isTrue();
        experts.get(2).run();

        add(1, 1);
        assertThat(runAll(true)).isEmpty();
        assertThat(runAll(false)).containsExactly(1);
    }

    @Test
    void defersCallsALimitedNumberOfTimes() throws Exception {
        for (int time = 0; time < 2; time++) {
            add(0, 1);
            for (int deferral = 0; deferral < MAX_DEFERRALS; deferral++) {
                assertThat(runAll(true)).isEmpty();
            }
            assertThat(runAll(true)).as("after all deferrals").containsExactly(0);
        }
    }

    /** A call takes rows until it is full; the other rows stay with the caller. */
    @Test
    void aFullCallTakesNoMoreRows() throws Exception {
        ExpertRows block = block(0, BATCH + 3);
        assertThat(experts.get(0).add(block, 0)).isEqualTo(BATCH);
        assertThat(experts.get(0).add(block, BATCH)).isEqualTo(BATCH);

        List<ContributionBlock> results = experts.get(0).run();
        assertThat(results).hasSize(1);
        assertThat(results.get(0).choices()).containsExactly(IntStream.range(0, BATCH).toArray());
        assertThat(experts.get(0).waiting()).isZero();
    }

    /** Runs calls until none is left or the rest is deferred; returns the experts in order. */
    private List<Integer> runAll(boolean inputQueued) throws Exception {
        List<Integer> ran = new ArrayList<>();
        for (int next = scheduler.next(inputQueued);
                next >= 0;
                next = scheduler.next(inputQueued)) {
            ran.add(next);
            experts.get(next).run();
        }
        return ran;
    }

    @Test
    void returnsTheRowsThatWait() throws Exception {
        ExpertCalls calls = experts.get(0);
        assertThat(calls.waitingRows()).isEmpty();
        calls.add(block(0, 4), 2);
        calls.add(block(0, 3), 0);
        assertThat(calls.waitingRows())
                .extracting(ExpertRows::choices)
                .containsExactly(new int[] {2, 3}, new int[] {0, 1, 2});
        assertThat(calls.waiting()).as("they still wait").isEqualTo(5);
        calls.run();
        assertThat(calls.waitingRows()).isEmpty();
    }

    private void add(int expert, int rows) {
        assertThat(experts.get(expert).add(block(expert, rows), 0)).isEqualTo(rows);
    }

    private static ExpertRows block(int expert, int rows) {
        return new ExpertRows(
                expert,
                0,
                0,
                IntStream.range(0, rows).toArray(),
                Vectors.of(new byte[rows * N * Float.BYTES]));
    }
}
