// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import static io.flinkmoe.runtime.combine.CombineBlocks.D;
import static io.flinkmoe.runtime.combine.CombineBlocks.K;
import static io.flinkmoe.runtime.combine.CombineBlocks.executed;
import static io.flinkmoe.runtime.combine.CombineBlocks.residual;
import static io.flinkmoe.runtime.combine.CombineBlocks.streams;
import static io.flinkmoe.runtime.combine.CombineBlocks.tokens;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.CombineHarness;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** When tokens and watermarks leave a combine. */
@ParameterizedClass
@EnumSource
class CombineOrderTest {

    @Parameter private Backend backend;
    @TempDir private static Path directory;
    private static Bundle bundle;

    @BeforeAll
    static void writeBundle() {
        bundle = NumberedBundle.write(directory.resolve("bundle"), D, K, 1);
    }

    @Test
    void keepsTheOrderOfAStreamButNotOfOthersAtAWatermark() throws Exception {
        try (var harness = open(new Dropless())) {
            residual(harness, 0, 0, 1f, new float[] {0, 0}, "a", 1);
            residual(harness, 0, 1, 1f, new float[] {0, 0, 0, 0}, "a", 2, "b", 3);
            harness.send(executed(0, 1, new int[] {0, 1, 2, 3}, 1));
            assertThat(harness.extractOutputValues()).isEmpty();

            harness.processBothWatermarks(new Watermark(10));
            assertThat(streams(harness)).containsExactly("b");

            harness.send(executed(0, 0, new int[] {0, 1}, 1));
            assertThat(streams(harness)).containsExactly("b", "a", "a");
        }
    }

    @Test
    void letsNoWatermarkPassATokenThatWaits() throws Exception {
        try (var harness = open(new Dropless())) {
            residual(harness, 0, 0, 1f, new float[] {0, 0}, "a", 5);
            harness.processBothWatermarks(new Watermark(10));
            assertThat(harness.getOutput()).containsExactly(new Watermark(4));

            harness.send(executed(0, 0, new int[] {0, 1}, 1));

            assertThat(harness.getOutput()).endsWith(new Watermark(10));
        }
    }

    /** Else the next layer would close no window as long as late tokens come. */
    @Test
    void letsTheWatermarkPassALateTokenThatWaitsBehindOneOfItsStream() throws Exception {
        try (var harness = open(new Dropless())) {
            residual(harness, 0, 0, 1f, new float[] {0, 0}, "a", 500);
            TokenBlock tokens =
                    tokens(0, new float[] {0, 0}, "a", 5).withLate(new boolean[] {true});
            byte[] outcomes = {Outcome.LATE.code(), Outcome.LATE.code()};
            Choices choices = new Choices(K, new int[K], new float[K], outcomes);
            harness.send(new RoutedBlock(1, tokens, choices));

            harness.processBothWatermarks(new Watermark(100));

            assertThat(harness.getOutput()).containsExactly(new Watermark(100));
            harness.send(executed(0, 0, new int[] {0, 1}, 1));
            assertThat(harness.extractOutputValues())
                    .extracting(block -> block.timestamps()[0])
                    .containsExactly(500L, 5L);
        }
    }

    @Test
    void forwardsTheLastWatermarkAsItIs() throws Exception {
        try (var harness = open(new Dropless())) {
            residual(harness, 0, 0, 1f, new float[] {0, 0}, "a", 5);
            harness.send(executed(0, 0, new int[] {0, 1}, 1));
            harness.processBothWatermarks(Watermark.MAX_WATERMARK);
            assertThat(harness.getOutput()).endsWith(Watermark.MAX_WATERMARK);
        }
    }

    @Test
    void waitsForAnEarlierBatchThatComesLaterAfterAChangeOfParallelism() throws Exception {
        try (var harness = open(new Dropless())) {
            residual(harness, 0, 1, 1f, new float[] {1, 1}, "a", 2);
            harness.send(executed(0, 1, new int[] {0, 1}, 1));
            harness.processBothWatermarks(new Watermark(1));
            assertThat(harness.extractOutputValues()).isEmpty();

            residual(harness, 0, 0, 1f, new float[] {0, 0}, "a", 1);
            harness.send(executed(0, 0, new int[] {0, 1}, 1));

            assertThat(harness.extractOutputValues())
                    .extracting(block -> block.timestamps()[0])
                    .containsExactly(1L, 2L);
        }
    }

    @Test
    void keepsWhatWaitsOverRestoresAndRescaling() throws Exception {
        // A harness that is closed ends its input, which these must not: they are killed.
        var killed = open(new Dropless());
        residual(killed, 0, 0, 1f, new float[] {1, 1}, "a");
        killed.send(executed(0, 0, new int[] {0}, 2));
        killed.send(executed(3, 1, new int[] {1}, 5));
        residual(killed, 3, 0, 1f, new float[] {0, 0, 0, 0}, "b", 1, "c", 1);
        killed.send(executed(3, 0, new int[] {2, 3}, 1));
        killed.processBothWatermarks(new Watermark(10));
        assertThat(streams(killed)).containsExactly("c");
        OperatorSubtaskState one = killed.snapshot(1, 1);

        OperatorSubtaskState low;
        try (var harness = restore(new Dropless(), 2, 0, one)) {
            harness.send(executed(0, 0, new int[] {1}, 3));
            assertThat(Floats.toFloats(harness.extractOutputValues().get(0).vectors()))
                    .containsExactly(6, 6);
            low = harness.snapshot(2, 2);
        }
        killed = restore(new Dropless(), 2, 1, one);
        residual(killed, 3, 1, 1f, new float[] {2, 2}, "b");
        OperatorSubtaskState high = killed.snapshot(2, 2);

        try (var harness = restore(new Dropless(), 1, 0, low, high)) {
            harness.send(executed(3, 1, new int[] {0}, 1));
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.send(executed(3, 0, new int[] {0, 1}, 1));
            assertThat(streams(harness)).containsExactly("b", "b");
            assertThat(Floats.toFloats(harness.extractOutputValues().get(1).vectors()))
                    .containsExactly(8, 8);
            // The number of the next batch to leave, per lane.
            assertThat(Backend.entries(harness.getOperator())).isEqualTo(2);
        }
    }

    @Test
    void refusesToEndWhileATokenWaits() throws Exception {
        var harness = open(new Dropless());
        residual(harness, 0, 0, 1f, new float[] {0, 0}, "a");
        assertThatThrownBy(() -> harness.getOperator().finish()).hasMessageContaining("lane 0");
    }

    private CombineHarness open(Capacity capacity) throws Exception {
        return OperatorHarnesses.of(CombineBlocks.options(bundle))
                .stateBackend(backend.make())
                .capacity(capacity)
                .combine(0);
    }

    private CombineHarness restore(
            Capacity capacity, int parallelism, int subtask, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(CombineBlocks.options(bundle))
                .stateBackend(backend.make())
                .capacity(capacity)
                .subtask(subtask, parallelism)
                .restore(states)
                .combine(0);
    }
}
