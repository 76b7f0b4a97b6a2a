// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import static io.flinkmoe.runtime.dispatch.DispatchBlocks.kill;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.late;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.slices.CheckpointAhead;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.DispatchHarness;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.runtime.tasks.mailbox.Mail;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a dispatch does with tokens whose vectors fill many network buffers. */
class WideTokensTest {

    private static final int WIDTH = 2048; // 8 KiB

    /** The tokens of a slice. */
    private static final int SLICE = 128;

    /** The tokens of a lane that may be ready before arriving blocks send some. */
    private static final int READY = 4096;

    /** The tokens with 64 MiB. */
    private static final int PAUSE = 8192;

    private static final int BLOCK = 1024;

    @TempDir private static Path directory;
    private static Configuration options;

    @BeforeAll
    static void writeBundle() {
        options = DispatchBlocks.options(directory, WIDTH);
    }

    private static DispatchHarness open(Backend backend, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .restore(states)
                .dispatch(0);
    }

    /** A block whose tokens have ascending timestamps. */
    private static RoutedBlock block(long batch, int rows) {
        String[] tokens = new String[rows];
        Arrays.setAll(tokens, row -> "s@" + row);
        return late(0, batch, WIDTH, tokens);
    }

    private static List<Integer> sizes(DispatchHarness harness) {
        return harness.extractOutputValues().stream().map(block -> block.tokens().rows()).toList();
    }

    private static int sent(DispatchHarness harness) {
        return sizes(harness).stream().mapToInt(rows -> rows).sum();
    }

    private static void announce(DispatchHarness harness) {
        ((Dispatch) harness.getOperator()).handleOperatorEvent(new CheckpointAhead(1));
    }

    @ParameterizedTest
    @EnumSource
    void aBatchLeavesInPartsAlsoAfterARestart(Backend backend) throws Exception {
        DispatchHarness killed = open(backend);
        killed.send(block(0, 3 * SLICE + 5), block(1, 1));
        killed.runSlice();
        killed.runSlice();
        assertThat(sizes(killed)).containsExactly(SLICE, SLICE);
        OperatorSubtaskState state = killed.snapshot(1, 1);
        kill(killed);

        try (DispatchHarness harness = open(backend, state)) {
            harness.runSlices();
            List<RoutedBlock> left = harness.extractOutputValues();
            assertThat(left).extracting(RoutedBlock::batch).containsExactly(2L, 3L, 4L);
            assertThat(sizes(harness)).containsExactly(SLICE, 5, 1);
            assertThat(left.get(0).tokens().timestamps())
                    .containsExactly(
                            IntStream.range(2 * SLICE, 3 * SLICE).asLongStream().toArray());
            byte[] vectors = left.get(0).tokens().vectors();
            byte[] arrived = block(0, 3 * SLICE).tokens().vectors();
            assertThat(vectors)
                    .isEqualTo(Arrays.copyOfRange(arrived, arrived.length / 3 * 2, arrived.length));
        }
    }

    @Test
    void inAPauseArrivingBlocksSendOthersOnlyWhenVeryManyHaveArrived() throws Exception {
        try (DispatchHarness harness = open(Backend.HEAP)) {
            announce(harness);
            for (int batch = 0; batch < (READY + PAUSE) / BLOCK; batch++) {
                harness.send(block(batch, BLOCK));
            }
            assertThat(sent(harness)).isZero();
            harness.send(block((READY + PAUSE) / BLOCK, BLOCK));
            assertThat(sent(harness)).isEqualTo(BLOCK);
        }
    }

    @Test
    void anAnnouncementStopsWhatAnArrivingBlockSends() throws Exception {
        try (DispatchHarness harness = open(Backend.HEAP)) {
            for (int batch = 0; batch < READY / BLOCK; batch++) {
                harness.send(block(batch, BLOCK));
            }
            harness.getTaskMailbox()
                    .put(new Mail(() -> announce(harness), TaskMailbox.MIN_PRIORITY, "announce"));
            harness.send(block(READY / BLOCK, BLOCK));
            assertThat(sent(harness)).isZero();
        }
    }
}
