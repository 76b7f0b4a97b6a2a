// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import static io.flinkmoe.runtime.expert.ExpertBlocks.N;
import static io.flinkmoe.runtime.expert.ExpertBlocks.outputs;
import static io.flinkmoe.runtime.expert.ExpertBlocks.rows;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.ExpertHarness;
import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows that wait for a fuller call when a barrier arrives. */
@ParameterizedClass
@EnumSource
class ExpertCheckpointsTest {

    /** More than the rows that wait for any expert. */
    private static final int BATCH = 6;

    private static final List<ExpertRows> ROWS =
            List.of(rows(0, 0, 10, 11), rows(1, 0, 12), rows(1, 1, 13, 14, 15), rows(3, 1, 16));

    /** The output of every choice: expert e returns (e + 1) · x. */
    private static final Map<Integer, Float> OUTPUTS =
            Map.of(10, 10f, 11, 11f, 12, 24f, 13, 26f, 14, 28f, 15, 30f, 16, 64f);

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        options =
                ExpertBlocks.options(NumberedBundle.write(directory.resolve("bundle"), N, 2, 1))
                        .set(MoeOptions.EXPERT_BATCH_SIZE, BATCH);
    }

    @Test
    void aBarrierRunsNoRowsThatWait() throws Exception {
        try (var harness = restore(0, 1)) {
            harness.send(ROWS.toArray(ExpertRows[]::new));
            harness.prepareSnapshotPreBarrier(1);
            harness.snapshot(1, 1);
            assertThat(harness.extractOutputValues()).isEmpty();
            assertThat(harness.numKeyedStateEntries()).as("one per expert with rows").isEqualTo(3);
            harness.getOperator().finish();
            assertThat(outputs(harness, N)).isEqualTo(OUTPUTS);
        }
    }

    @Test
    void rowsThatWaitedAreExecutedOnceAfterARestore() throws Exception {
        OperatorSubtaskState state = checkpoint(0, 1);
        try (var harness = restore(0, 1, state)) {
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.getOperator().finish();
            assertThat(outputs(harness, N)).isEqualTo(OUTPUTS);
        }
    }

    @Test
    void rowsThatWaitedLingerAfterARestoreAndThenRunWithoutNewRows() throws Exception {
        try (var harness = restore(0, 1, checkpoint(0, 1))) {
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.setProcessingTime(5);
            assertThat(outputs(harness, N)).isEqualTo(OUTPUTS);
        }
    }

    @Test
    void rowsThatWaitedAreBatchedWithNewRowsAfterARestore() throws Exception {
        try (var harness = restore(0, 1, checkpoint(0, 1))) {
            harness.send(rows(1, 2, 17, 18));
            assertThat(outputs(harness, N))
                    .isEqualTo(Map.of(12, 24f, 13, 26f, 14, 28f, 15, 30f, 17, 34f, 18, 36f));
        }
    }

    @Test
    void rowsThatWaitedAreExecutedOnceByTwoSubtasks() throws Exception {
        OperatorSubtaskState state = checkpoint(0, 1);
        Map<Integer, Float> outputs = new HashMap<>();
        for (int subtask = 0; subtask < 2; subtask++) {
            try (var harness = restore(subtask, 2, state)) {
                harness.getOperator().finish();
                assertThat(outputs(harness, N)).isNotEmpty().doesNotContainKeys(keys(outputs));
                outputs.putAll(outputs(harness, N));
            }
        }
        assertThat(outputs).isEqualTo(OUTPUTS);
    }

    private static Integer[] keys(Map<Integer, Float> outputs) {
        return outputs.keySet().toArray(Integer[]::new);
    }

    @Test
    void rowsOfTwoSubtasksAreExecutedOnceByOne() throws Exception {
        OperatorSubtaskState low = checkpoint(0, 2);
        OperatorSubtaskState high = checkpoint(1, 2);
        try (var harness = restore(0, 1, low, high)) {
            harness.getOperator().finish();
            assertThat(outputs(harness, N)).isEqualTo(OUTPUTS);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 4, 100})
    void rowsThatWaitedAreExecutedOnceWithAnotherBatchSize(int batch) throws Exception {
        OperatorSubtaskState state = checkpoint(0, 1);
        options.set(MoeOptions.EXPERT_BATCH_SIZE, batch);
        try (var harness = restore(0, 1, state)) {
            // Full calls run at once: 2, 4 and 1 rows wait for experts 0, 1 and 3.
            int rowsOfFullCalls = batch == 1 ? 7 : batch == 3 ? 3 : batch == 4 ? 4 : 0;
            assertThat(outputs(harness, N)).hasSize(rowsOfFullCalls);
            harness.getOperator().finish();
            assertThat(outputs(harness, N)).isEqualTo(OUTPUTS);
        }
    }

    @Test
    void rowsThatHaveRunAreGoneFromTheNextCheckpoint() throws Exception {
        OperatorSubtaskState state;
        try (var harness = restore(0, 1)) {
            harness.send(ROWS.toArray(ExpertRows[]::new));
            harness.snapshot(1, 1);
            harness.send(rows(1, 2, 17, 18));
            assertThat(outputs(harness, N)).as("expert 1 has run").hasSize(6);
            state = harness.snapshot(2, 2);
            assertThat(harness.numKeyedStateEntries()).isEqualTo(2);
        }
        try (var harness = restore(0, 1, state)) {
            harness.getOperator().finish();
            assertThat(outputs(harness, N)).isEqualTo(Map.of(10, 10f, 11, 11f, 16, 64f));
        }
    }

    @Test
    void restoredRowsThatHaveRunAreGoneFromTheNextCheckpoint() throws Exception {
        OperatorSubtaskState state;
        try (var harness = restore(0, 1, checkpoint(0, 1))) {
            harness.setProcessingTime(5);
            assertThat(outputs(harness, N)).isEqualTo(OUTPUTS);
            state = harness.snapshot(2, 2);
            assertThat(harness.numKeyedStateEntries()).isZero();
        }
        try (var harness = restore(0, 1, state)) {
            harness.getOperator().finish();
            assertThat(harness.extractOutputValues()).isEmpty();
        }
    }

    @Test
    void rowsThatWaitForSeveralCheckpointsAreInTheStateOnce() throws Exception {
        OperatorSubtaskState state;
        try (var harness = restore(0, 1, checkpoint(0, 1))) {
            harness.snapshot(2, 2);
            harness.send(rows(2, 2, 17));
            state = harness.snapshot(3, 3);
        }
        try (var harness = restore(0, 1, state)) {
            harness.getOperator().finish();
            Map<Integer, Float> outputs = new HashMap<>(OUTPUTS);
            outputs.put(17, 51f);
            assertThat(outputs(harness, N)).isEqualTo(outputs);
        }
    }

    @Test
    void aBarrierRunsTheFullestCallIfTooManyBytesWait() throws Exception {
        int width = 4096; // A row has 16 KiB, so that 1024 rows have 16 MiB.
        options =
                TinyBundle.builder()
                        .numExperts(N)
                        .hiddenSize(width)
                        .experts(FixedExperts.numbered())
                        .writeTo(directory.resolve("wide"))
                        .options()
                        .set(MoeOptions.EXPERT_BATCH_SIZE, 1000);
        OperatorSubtaskState state;
        try (var harness = restore(0, 1)) {
            harness.send(wide(0, 0, 150, width), wide(1, 1000, 800, width));
            harness.send(wide(3, 2000, 74, width));
            harness.prepareSnapshotPreBarrier(1);
            assertThat(harness.extractOutputValues()).as("16 MiB wait").isEmpty();

            harness.send(wide(3, 3000, 1, width));
            harness.prepareSnapshotPreBarrier(2);
            assertThat(outputs(harness, width))
                    .as("the rows of expert 1, in one call")
                    .hasSize(800)
                    .containsEntry(1000, 2000f)
                    .containsEntry(1799, 3598f);
            state = harness.snapshot(2, 2);
            assertThat(harness.numKeyedStateEntries()).isEqualTo(2);
        }
        try (var harness = restore(0, 1, state)) {
            harness.getOperator().finish();
            assertThat(outputs(harness, width))
                    .hasSize(150 + 75)
                    .containsEntry(149, 149f)
                    .containsEntry(2000, 8000f)
                    .containsEntry(3000, 12_000f);
        }
    }

    private static ExpertRows wide(int expert, int firstChoice, int count, int width) {
        int[] choices = IntStream.range(firstChoice, firstChoice + count).toArray();
        return ExpertBlocks.wideRows(expert, 0, width, choices);
    }

    /** The state of a subtask for whose experts rows wait. */
    private OperatorSubtaskState checkpoint(int subtask, int parallelism) throws Exception {
        EvenKeys experts = new EvenKeys(N);
        try (var harness = restore(subtask, parallelism)) {
            for (ExpertRows block : ROWS) {
                if (experts.subtaskOf(block.expert(), parallelism) == subtask) {
                    harness.send(block);
                }
            }
            harness.prepareSnapshotPreBarrier(1);
            return harness.snapshot(1, 1);
        }
    }

    private ExpertHarness restore(int subtask, int parallelism, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .subtask(subtask, parallelism)
                .restore(states)
                .expert(0);
    }
}
