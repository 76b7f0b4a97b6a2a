package io.flinkmoe.runtime.expert;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.Rescale;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.execution.CancelTaskException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource
class ExpertTest {

    private static final int N = 4;
    private static final EvenKeys EXPERTS = new EvenKeys(N);
    private static final Capacity TWO_A_MINUTE = Capacity.firstCome(new TumblingWindows(60_000), 2);

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private LocalBundle bundle;

    @BeforeEach
    void writeBundle() {
        use(TinyBundle.write(directory.resolve("bundle"), N, 2, 1));
    }

    @Test
    void joinsRowsOfSeveralBlocksAndAnswersEachBlock() throws Exception {
        try (var harness = open(null)) {
            harness.send(block(2, 5, new int[] {0, 7}, 0, 0));
            assertThat(harness.extractOutputValues()).isEmpty();

            harness.send(block(2, 6, new int[] {4}, 0));

            List<ContributionBlock> answers = harness.extractOutputValues();
            assertThat(answers).extracting(ContributionBlock::batch).containsExactly(5L, 6L);
            assertThat(answers.get(0).choices()).containsExactly(0, 7);
            assertThat(answers.get(0).outcomes()).containsOnly(Outcome.EXECUTED.code());
            assertThat(Floats.toFloats(answers.get(0).vectors().toBytes()))
                    .containsExactly(0, 0, 0, 0, 21, 21, 21, 21);
            assertThat(Floats.toFloats(answers.get(1).vectors().toBytes()))
                    .containsExactly(12, 12, 12, 12);
        }
    }

    @Test
    void runsABlockThatIsLargerThanACallInParts() throws Exception {
        try (var harness = open(null)) {
            harness.send(block(0, 0, new int[] {1, 2, 3, 4, 5, 6, 7}, new long[7]));
            harness.prepareSnapshotPreBarrier(1);
            assertThat(harness.extractOutputValues())
                    .extracting(answer -> Floats.toFloats(answer.vectors().toBytes()))
                    .containsExactly(
                            new float[] {1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3},
                            new float[] {4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6},
                            new float[] {7, 7, 7, 7});
        }
    }

    @Test
    void refusesStateThatOtherAdmissionOrAnotherModelWrote() throws Exception {
        OperatorSubtaskState state;
        Capacity prioritized =
                Capacity.prioritized(
                        new TumblingWindows(60_000),
                        CapacityFormula.fixed(2),
                        AdmissionOrder.POSITION);
        try (var harness = open(prioritized)) {
            state = harness.snapshot(1, 1);
        }
        assertThatThrownBy(() -> restore(TWO_A_MINUTE, 1, 0, state))
                .hasMessageContaining(
                        "moe.capacity.admission is first-come, but the checkpoint was written with prioritized");
        assertThatThrownBy(() -> restore(prioritized.withOverflowRounds(1), 1, 0, state))
                .hasMessageContaining(
                        "moe.overflow.rounds is 1, but the checkpoint was written with 0");
        assertThatThrownBy(() -> restore(prioritized.weighedBy(WeightRule.SURVIVORS), 1, 0, state))
                .hasMessageContaining(
                        "moe.capacity.weights is survivors, but the checkpoint was written with router");
        Capacity random =
                Capacity.prioritized(
                        prioritized.windows(), prioritized.formula(), AdmissionOrder.RANDOM);
        assertThatThrownBy(() -> restore(random, 1, 0, state))
                .hasMessageContaining(
                        "moe.capacity.order is random, but the checkpoint was written with position");
        use(TinyBundle.write(directory.resolve("other"), N, 3, 1));
        assertThatThrownBy(() -> restore(prioritized, 1, 0, state))
                .hasMessageContaining(
                        "num_experts_per_tok of layer 0 is 3, but the checkpoint was written with 2");
    }

    @Test
    void opensNoMoreExpertsOnceItIsCancelled() throws Exception {
        backend = Backend.HEAP; // RocksDB gives up first in a thread that is interrupted.
        open(null).close(); // The bundle is read by now.
        Thread.currentThread().interrupt();
        try {
            assertThatThrownBy(() -> open(null)).isInstanceOf(CancelTaskException.class);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @Test
    void runsWhatHasLingered() throws Exception {
        try (var harness = open(null)) {
            harness.setProcessingTime(50);
            harness.send(block(1, 0, new int[] {0}, 0));
            harness.setProcessingTime(54);
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.setProcessingTime(55);
            assertThat(harness.extractOutputValues()).hasSize(1);
        }
    }

    @Test
    void admitsNoMoreThanTheCapacityOfEachWindow() throws Exception {
        try (var harness = open(TWO_A_MINUTE)) {
            harness.send(block(3, 0, new int[] {0, 1, 2, 3, 4}, 0, 1, 2, 60_000, 3));
            harness.prepareSnapshotPreBarrier(1);

            List<ContributionBlock> answers = harness.extractOutputValues();
            assertThat(answers.get(0).outcomes()).containsOnly(Outcome.OVERFLOWED.code());
            assertThat(answers.get(0).choices()).containsExactly(2, 4);
            assertThat(answers.get(0).vectors().toBytes()).isEmpty();
            assertThat(answers.get(1).choices()).containsExactly(0, 1, 3);
        }
    }

    @Test
    void countsTheCapacityOverRestoresAndRescaling() throws Exception {
        OperatorSubtaskState one;
        try (var harness = open(TWO_A_MINUTE)) {
            harness.send(block(0, 0, new int[] {0}, 0), block(3, 0, new int[] {1, 2}, 0, 0));
            harness.prepareSnapshotPreBarrier(1);
            one = harness.snapshot(1, 1);
        }
        OperatorSubtaskState low;
        try (var harness = restore(TWO_A_MINUTE, 2, 0, Rescale.to(2, 0, EXPERTS, one))) {
            harness.send(block(0, 1, new int[] {0}, 0));
            harness.prepareSnapshotPreBarrier(2);
            assertThat(outcomes(harness)).containsExactly(Outcome.EXECUTED);
            low = harness.snapshot(2, 2);
        }
        OperatorSubtaskState high;
        try (var harness = restore(TWO_A_MINUTE, 2, 1, Rescale.to(2, 1, EXPERTS, one))) {
            harness.send(block(3, 1, new int[] {0}, 0));
            assertThat(outcomes(harness)).containsExactly(Outcome.OVERFLOWED);
            high = harness.snapshot(2, 2);
        }
        try (var harness = restore(TWO_A_MINUTE, 1, 0, Rescale.to(1, 0, EXPERTS, low, high))) {
            harness.send(block(0, 2, new int[] {0}, 0), block(3, 2, new int[] {0}, 0));
            assertThat(outcomes(harness)).containsExactly(Outcome.OVERFLOWED, Outcome.OVERFLOWED);
            harness.processWatermark(59_999);
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(record -> record.getValue().key(), r -> r.getValue().account())
                    .containsExactlyInAnyOrder(
                            tuple(0, new WindowCounts(3, 2, 0, 1, 0, 0)),
                            tuple(3, new WindowCounts(4, 2, 0, 2, 0, 0)));
        }
    }

    @Test
    void answersLateForAClosedWindowAlsoAfterARestore() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(TWO_A_MINUTE)) {
            harness.processWatermark(59_999);
            state = harness.snapshot(1, 1);
        }
        try (var harness = restore(TWO_A_MINUTE, 1, 0, state)) {
            harness.send(block(1, 0, new int[] {0}, 59_999));
            assertThat(outcomes(harness)).containsExactly(Outcome.LATE);
            harness.processWatermark(60_000);
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(record -> record.getValue().account())
                    .containsExactly(WindowCounts.EMPTY.plus(Outcome.LATE, 1));
        }
    }

    @Test
    void holdsNothingBackWhenAWindowCloses() throws Exception {
        try (var harness = open(TWO_A_MINUTE)) {
            harness.processWatermark(0);
            harness.send(block(1, 0, new int[] {0}, 0));
            harness.processWatermark(59_998);
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.processWatermark(59_999);
            assertThat(harness.extractOutputValues()).hasSize(1);
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES)).hasSize(1);
            assertThat(harness.numKeyedStateEntries()).isZero();
        }
    }

    @Test
    void failsTheJobWhenARunThrows() throws Exception {
        use(TinyBundle.write(directory.resolve("bad"), N, 2, 1, e -> TinyBundle.failing(N)));
        var harness = open(null);
        assertThatThrownBy(() -> harness.send(block(1, 0, new int[] {0, 1, 2}, 0, 0, 0)))
                .hasMessageContaining("layer 0")
                .hasMessageContaining("1.onnx")
                .hasMessageContaining("Set moe.expert.on-error to residual");
    }

    @Test
    void keepsTheResidualWhenARunThrowsAndTheOptionSaysSo() throws Exception {
        use(TinyBundle.write(directory.resolve("bad"), N, 2, 1, e -> TinyBundle.failing(N)));
        try (var harness = open(TWO_A_MINUTE, MoeOptions.OnError.RESIDUAL)) {
            harness.send(block(1, 0, new int[] {0, 1}, 0, 0));
            harness.processWatermark(59_999);
            assertThat(outcomes(harness)).containsExactly(Outcome.FAILED, Outcome.FAILED);
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(record -> record.getValue().account())
                    .containsExactly(WindowCounts.EMPTY.plus(Outcome.FAILED, 2));
        }
    }

    @Test
    void failsOnlyTheRowsToBlameWhateverTheyWereJoinedWith() throws Exception {
        use(TinyBundle.write(directory.resolve("strict"), N, 2, 1, e -> TinyBundle.strict(N)));
        try (var harness = open(null, MoeOptions.OnError.RESIDUAL)) {
            harness.send(block(1, 0, new int[] {0, N, 2}, 0, 0, 0));
            assertThat(outcomes(harness))
                    .containsExactly(Outcome.EXECUTED, Outcome.FAILED, Outcome.EXECUTED);
            assertThat(Floats.toFloats(harness.extractOutputValues().get(0).vectors().toBytes()))
                    .containsExactly(0, 0, 0, 0, 2, 2, 2, 2);
        }
    }

    @Test
    void fillsCallsUpWherePaddingIsAskedFor() throws Exception {
        use(TinyBundle.write(directory.resolve("counting"), N, 2, 1, e -> TinyBundle.counting(N)));
        for (boolean padding : new boolean[] {false, true}) {
            try (var harness = openPadded(padding)) {
                harness.send(block(1, 0, new int[] {2}, 0));
                harness.prepareSnapshotPreBarrier(1);
                float rowsOfTheCall = padding ? ExpertHarness.BATCH : 1;
                Vectors answer = harness.extractOutputValues().get(0).vectors();
                assertThat(Floats.toFloats(answer.toBytes()))
                        .hasSize(N)
                        .containsOnly(rowsOfTheCall);
            }
        }
    }

    @Test
    void failsOnlyTheRowsToBlameInPaddedCallsToo() throws Exception {
        use(TinyBundle.write(directory.resolve("padded"), N, 2, 1, e -> TinyBundle.strict(N)));
        try (var harness = openPadded(true)) {
            harness.send(block(1, 0, new int[] {N, 2}, 0, 0));
            harness.prepareSnapshotPreBarrier(1);
            assertThat(outcomes(harness)).containsExactly(Outcome.FAILED, Outcome.EXECUTED);
            harness.send(block(1, 1, new int[] {3}, 0));
            harness.prepareSnapshotPreBarrier(2);
            assertThat(outcomes(harness))
                    .containsExactly(Outcome.FAILED, Outcome.EXECUTED, Outcome.EXECUTED);
        }
    }

    private ExpertHarness openPadded(boolean padding) throws Exception {
        return ExpertHarness.open(
                ExpertHarness.expert(
                        bundle, 0, EXPERTS, padding, null, MoeOptions.OnError.RESIDUAL),
                EXPERTS);
    }

    @Test
    void marksRowsFailedWhoseOutputIsNotFinite() throws Exception {
        use(
                TinyBundle.write(
                        directory.resolve("huge"), N, 2, 1, e -> TinyBundle.scaling(N, 3e38f)));
        try (var harness = open(null)) {
            harness.send(block(1, 0, new int[] {0}, 0), block(1, 1, new int[] {2, 1}, 0, 0));
            assertThat(outcomes(harness))
                    .containsExactly(Outcome.EXECUTED, Outcome.FAILED, Outcome.EXECUTED);
            assertThat(harness.extractOutputValues())
                    .extracting(answer -> Floats.toFloats(answer.vectors().toBytes()))
                    .containsExactly(new float[4], new float[] {3e38f, 3e38f, 3e38f, 3e38f});
        }
    }

    private void use(Bundle written) {
        bundle = new LocalBundle(written.directory().toString(), written.spec().version());
    }

    private ExpertHarness open(Capacity capacity) throws Exception {
        return restore(capacity, 1, 0, null);
    }

    private ExpertHarness open(Capacity capacity, MoeOptions.OnError onError) throws Exception {
        return ExpertHarness.open(
                ExpertHarness.expert(bundle, 0, EXPERTS, capacity, onError), EXPERTS);
    }

    private ExpertHarness restore(
            Capacity capacity, int parallelism, int subtask, OperatorSubtaskState state)
            throws Exception {
        return ExpertHarness.restore(
                backend,
                ExpertHarness.expert(bundle, 0, EXPERTS, capacity, MoeOptions.OnError.FAIL),
                EXPERTS,
                parallelism,
                subtask,
                state);
    }

    private static List<Outcome> outcomes(ExpertHarness harness) {
        return harness.extractOutputValues().stream()
                .flatMap(
                        answer ->
                                IntStream.range(0, answer.outcomes().length)
                                        .mapToObj(i -> Outcome.ofCode(answer.outcomes()[i])))
                .toList();
    }

    /** Rows whose values are the number of their choice. */
    private static DispatchBlock block(int expert, long batch, int[] choices, long... timestamps) {
        float[] rows = new float[choices.length * N];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = choices[i / N];
        }
        return new DispatchBlock(
                expert,
                0,
                batch,
                0,
                choices,
                timestamps,
                Priorities.NONE,
                Vectors.of(Floats.toBytes(rows)));
    }
}
