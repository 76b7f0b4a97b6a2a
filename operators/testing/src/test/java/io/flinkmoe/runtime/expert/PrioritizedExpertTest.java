// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.ExpertHarness;
import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** An expert that decides at the close of a window. */
@ParameterizedClass
@EnumSource
class PrioritizedExpertTest {

    private static final int N = 4;
    private static final int K = 2;
    private static final TumblingWindows MINUTE = new TumblingWindows(60_000);
    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    /** A row and what the orders go by; its choice says its rank. */
    private record Row(int choice, long timestamp, String stream, float topScore, float score) {}

    private static final Row EARLY_SECOND = new Row(1, 1, "a", 0.9f, 0.2f);
    private static final Row LATER_FIRST = new Row(2, 5, "b", 0.4f, 0.4f);
    private static final Row LAST_FIRST = new Row(4, 9, "a", 0.5f, 0.5f);
    private static final Row BEST_SECOND = new Row(7, 3, "c", 0.7f, 0.6f);

    @BeforeEach
    void writeBundle() {
        use(NumberedBundle.write(directory.resolve("bundle"), N, K, 1));
    }

    @Test
    void answersNothingBeforeTheWatermarkAndAllBeforeItIsForwarded() throws Exception {
        try (var harness = open(fixed(2, AdmissionOrder.POSITION))) {
            harness.send(block(1, 0, LATER_FIRST, EARLY_SECOND), block(1, 1, LAST_FIRST));
            harness.prepareSnapshotPreBarrier(1);
            harness.processWatermark(59_998);
            assertThat(harness.extractOutputValues()).isEmpty();

            harness.processWatermark(59_999);

            assertThat(harness.outcomes())
                    .containsExactlyInAnyOrderEntriesOf(
                            Map.of(
                                    2, Outcome.EXECUTED,
                                    4, Outcome.EXECUTED,
                                    1, Outcome.OVERFLOWED));
            assertThat(harness.getOutput()).endsWith(new Watermark(59_999));
            assertThat(harness.numKeyedStateEntries()).isZero();
        }
    }

    @Test
    void admitsByTheOrderThatTheCapacityNames() throws Exception {
        assertThat(admitted(AdmissionOrder.POSITION)).containsExactly(2, 4);
        assertThat(admitted(AdmissionOrder.TOKEN_PRIORITY)).containsExactly(4, 2);
        assertThat(admitted(AdmissionOrder.GATE_SCORE)).containsExactly(7, 4);
    }

    /** The choices that are admitted as the capacity grows, one by one. */
    private List<Integer> admitted(AdmissionOrder order) throws Exception {
        List<Integer> admitted = new ArrayList<>();
        for (int room = 1; room <= 2; room++) {
            try (var harness = open(fixed(room, order))) {
                harness.send(block(1, 0, EARLY_SECOND, LAST_FIRST, BEST_SECOND, LATER_FIRST));
                harness.processWatermark(59_999);
                harness.outcomes()
                        .forEach(
                                (choice, outcome) -> {
                                    if (outcome == Outcome.EXECUTED && !admitted.contains(choice)) {
                                        admitted.add(choice);
                                    }
                                });
            }
        }
        return admitted;
    }

    @ParameterizedTest
    @EnumSource
    void decidesTheSameWhateverTheOrderOfArrival(AdmissionOrder order) throws Exception {
        Random random = new Random(5);
        // A choice's rank is its parity. Equal scores and timestamps are frequent.
        List<DispatchBlock> blocks = new ArrayList<>();
        for (int batch = 0; batch < 12; batch++) {
            Row[] rows = new Row[1 + random.nextInt(5)];
            for (int i = 0; i < rows.length; i++) {
                float score = random.nextInt(4) / 8f;
                rows[i] =
                        new Row(
                                2 * (10 * batch + i) + random.nextInt(2),
                                random.nextInt(6),
                                "s" + random.nextInt(3),
                                score + random.nextInt(2),
                                score);
            }
            blocks.add(block(1, batch, rows));
        }
        Map<Integer, Outcome> first = null;
        for (int run = 0; run < 20; run++) {
            Collections.shuffle(blocks, random);
            try (var harness = open(fixed(7, order))) {
                harness.send(blocks.toArray(ExpertInput[]::new));
                harness.processWatermark(59_999);
                Map<Integer, Outcome> found = harness.outcomes();
                assertThat(found.values()).filteredOn(Outcome.EXECUTED::equals).hasSize(7);
                first = first == null ? found : first;
                assertThat(found).isEqualTo(first);
            }
        }
    }

    @Test
    void takesTheRoomFromTheTokensThatAllLanesHad() throws Exception {
        // ceil(T · k · 0.5 / N) = ceil(7 · 2 · 0.5 / 4) = 2 for the first window, 1 for the second.
        CapacityFormula half =
                CapacityFormula.of(
                        0.5,
                        true,
                        CapacityFormula.Arithmetic.PRODUCT,
                        CapacityFormula.Rounding.CEIL);
        Capacity capacity = AtWindowClose.of(MINUTE, half, AdmissionOrder.POSITION);
        Row next = new Row(10, 60_000, "a", 1, 1);
        Row nextToo = new Row(12, 60_001, "a", 1, 1);
        try (var harness = open(capacity)) {
            harness.send(new WindowTokens(1, 0, 0, 3), block(1, 0, EARLY_SECOND, LATER_FIRST));
            harness.send(block(1, 1, LAST_FIRST, nextToo, next), new WindowTokens(1, 7, 0, 4));
            harness.processWatermark(59_999);
            assertThat(harness.outcomes())
                    .hasSize(3)
                    .containsEntry(2, Outcome.EXECUTED)
                    .containsEntry(4, Outcome.EXECUTED)
                    .containsEntry(1, Outcome.OVERFLOWED);

            harness.send(new WindowTokens(1, 0, 60_000, 2));
            harness.send(new WindowTokens(2, 0, 60_000, 2));
            harness.processWatermark(119_999);
            assertThat(harness.outcomes())
                    .hasSize(5)
                    .containsEntry(10, Outcome.EXECUTED)
                    .containsEntry(12, Outcome.OVERFLOWED);
            assertThat(harness.numKeyedStateEntries()).isZero();
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(r -> r.getValue().windowStart(), r -> r.getValue().counts())
                    .containsExactly(
                            tuple(0L, new WindowCounts(3, 2, 0, 1, 0, 0)),
                            tuple(60_000L, new WindowCounts(2, 1, 0, 1, 0, 0)));
        }
    }

    @Test
    void keepsAWindowOverRestoresAndRescaling() throws Exception {
        Capacity capacity =
                AtWindowClose.of(MINUTE, CapacityFormula.nllbEval(0.25), AdmissionOrder.POSITION);
        OperatorSubtaskState one;
        try (var harness = open(capacity)) {
            harness.send(block(0, 0, LATER_FIRST), block(3, 0, LATER_FIRST, EARLY_SECOND));
            harness.send(new WindowTokens(0, 0, 0, 4), new WindowTokens(3, 0, 0, 4));
            one = harness.snapshot(1, 1);
        }
        OperatorSubtaskState low;
        try (var harness = restore(capacity, 2, 0, one)) {
            harness.send(block(0, 1, EARLY_SECOND), new WindowTokens(0, 1, 0, 3));
            low = harness.snapshot(2, 2);
        }
        OperatorSubtaskState high;
        try (var harness = restore(capacity, 2, 1, one)) {
            harness.send(block(3, 1, LAST_FIRST));
            high = harness.snapshot(2, 2);
        }
        try (var harness = restore(capacity, 1, 0, low, high)) {
            harness.processWatermark(59_999);
            // Expert 0 has room for ceil(7 / 4) = 2 rows, expert 3 for 4 / 4 = 1.
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(record -> record.getValue().key(), r -> r.getValue().counts())
                    .containsExactlyInAnyOrder(
                            tuple(0, new WindowCounts(2, 2, 0, 0, 0, 0)),
                            tuple(3, new WindowCounts(3, 1, 0, 2, 0, 0)));
            assertThat(harness.extractOutputValues())
                    .filteredOn(
                            answer ->
                                    answer.choices()[0] == 2
                                            && answer.vectors().toBytes().length > 0)
                    .extracting(answer -> Floats.toFloats(answer.vectors().toBytes()))
                    .as("what expert 3 makes of choice 2, in one answer of its own")
                    .contains(new float[] {8, 8, 8, 8});
        }
    }

    @Test
    void answersLateRowsAtOnceAndHoldsTheOthersOfTheBlock() throws Exception {
        try (var harness = open(fixed(2, AdmissionOrder.POSITION))) {
            harness.processWatermark(59_999);
            harness.send(block(1, 0, new Row(0, 60_000, "a", 1, 1), EARLY_SECOND));
            assertThat(harness.outcomes()).isEqualTo(Map.of(1, Outcome.LATE));
            harness.processWatermark(119_999);
            assertThat(harness.outcomes()).isEqualTo(Map.of(1, Outcome.LATE, 0, Outcome.EXECUTED));
        }
    }

    @Test
    void givesNoRoomOfARowThatFailedToAnother() throws Exception {
        use(NumberedBundle.write(directory.resolve("bad"), N, K, FixedExperts.failing()));
        try (var harness = open(fixed(2, AdmissionOrder.POSITION))) {
            harness.send(block(1, 0, EARLY_SECOND, LATER_FIRST, LAST_FIRST));
            harness.processWatermark(59_999);
            assertThat(harness.outcomes())
                    .isEqualTo(
                            Map.of(
                                    1, Outcome.OVERFLOWED,
                                    2, Outcome.FAILED,
                                    4, Outcome.FAILED));
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(record -> record.getValue().counts())
                    .containsExactly(new WindowCounts(3, 0, 0, 1, 0, 2));
            assertThat(harness.numKeyedStateEntries()).isZero();
        }
    }

    @Test
    void forgetsEveryWindowThatIsClosed() throws Exception {
        try (var harness = open(fixed(1, AdmissionOrder.GATE_SCORE))) {
            for (int window = 0; window < 10_000; window++) {
                long start = 60_000L * window;
                harness.send(
                        block(
                                window % N,
                                window,
                                new Row(0, start, "a", 1, 1),
                                new Row(2, start + 60_000, "b", 1, 1)));
                harness.processWatermark(start + 59_999);
                // The counts and the rows of the window that is still open.
                assertThat(harness.numKeyedStateEntries())
                        .isBetween(2, backend == Backend.HEAP ? 2 : 2 + 500);
                assertThat(harness.numEventTimeTimers()).isEqualTo(1);
            }
        }
    }

    private static Capacity fixed(int rows, AdmissionOrder order) {
        return AtWindowClose.of(MINUTE, CapacityFormula.fixed(rows), order);
    }

    private void use(Bundle bundle) {
        options =
                ExpertBlocks.options(bundle)
                        .set(MoeOptions.EXPERT_ON_ERROR, MoeOptions.OnError.RESIDUAL);
    }

    private ExpertHarness open(Capacity capacity) throws Exception {
        return restore(capacity, 1, 0);
    }

    private ExpertHarness restore(
            Capacity capacity, int parallelism, int subtask, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(capacity)
                .subtask(subtask, parallelism)
                .restore(states)
                .expert(0);
    }

    /** Rows whose values are the number of their choice. */
    private static DispatchBlock block(int expert, long batch, Row... rows) {
        int[] choices = new int[rows.length];
        long[] timestamps = new long[rows.length];
        Priorities priorities = Priorities.ofRows(rows.length, 1);
        float[] values = new float[rows.length * N];
        for (int i = 0; i < rows.length; i++) {
            Row row = rows[i];
            choices[i] = row.choice;
            timestamps[i] = row.timestamp;
            priorities.streams()[i] = row.stream;
            priorities.topScores()[i] = row.topScore;
            priorities.scores()[i] = row.score;
            Arrays.fill(values, i * N, i * N + N, row.choice);
        }
        return new DispatchBlock(
                expert,
                0,
                batch,
                0,
                choices,
                timestamps,
                priorities,
                Vectors.of(Floats.toBytes(values)));
    }
}
