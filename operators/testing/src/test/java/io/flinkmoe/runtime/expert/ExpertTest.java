// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import static io.flinkmoe.runtime.expert.ExpertBlocks.block;
import static io.flinkmoe.runtime.expert.ExpertBlocks.outcomes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.ExpertHarness;
import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.configuration.Configuration;
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
    private static final Capacity TWO_A_MINUTE = FirstCome.of(new TumblingWindows(60_000), 2);

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        use(NumberedBundle.write(directory.resolve("bundle"), N, 2, 1));
    }

    @Test
    void joinsRowsOfSeveralBlocksAndAnswersEachBlock() throws Exception {
        try (var harness = open(new Dropless())) {
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
        try (var harness = open(new Dropless())) {
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
        AtWindowClose prioritized =
                AtWindowClose.of(
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
        assertThatThrownBy(
                        () ->
                                restore(
                                        prioritized.withWeightRule(WeightRule.SURVIVORS),
                                        1,
                                        0,
                                        state))
                .hasMessageContaining(
                        "moe.capacity.weights is survivors, but the checkpoint was written with router");
        Capacity random =
                AtWindowClose.of(
                        prioritized.windows(), prioritized.formula(), AdmissionOrder.RANDOM);
        assertThatThrownBy(() -> restore(random, 1, 0, state))
                .hasMessageContaining(
                        "moe.capacity.order is random, but the checkpoint was written with position");
        use(NumberedBundle.write(directory.resolve("other"), N, 3, 1));
        assertThatThrownBy(() -> restore(prioritized, 1, 0, state))
                .hasMessageContaining(
                        "num_experts_per_tok of layer 0 is 3, but the checkpoint was written with 2");
    }

    @Test
    void opensNoMoreExpertsOnceItIsCancelled() throws Exception {
        // On the heap: RocksDB gives up first in a thread that is interrupted.
        OperatorHarnesses harnesses = OperatorHarnesses.of(options);
        harnesses.expert(0).close(); // The bundle is read by now.
        Thread.currentThread().interrupt();
        try {
            assertThatThrownBy(() -> harnesses.expert(0)).isInstanceOf(CancelTaskException.class);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @Test
    void runsWhatHasLingered() throws Exception {
        try (var harness = open(new Dropless())) {
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
        try (var harness = restore(TWO_A_MINUTE, 2, 0, one)) {
            harness.send(block(0, 1, new int[] {0}, 0));
            harness.prepareSnapshotPreBarrier(2);
            assertThat(outcomes(harness)).containsExactly(Outcome.EXECUTED);
            low = harness.snapshot(2, 2);
        }
        OperatorSubtaskState high;
        try (var harness = restore(TWO_A_MINUTE, 2, 1, one)) {
            harness.send(block(3, 1, new int[] {0}, 0));
            assertThat(outcomes(harness)).containsExactly(Outcome.OVERFLOWED);
            high = harness.snapshot(2, 2);
        }
        try (var harness = restore(TWO_A_MINUTE, 1, 0, low, high)) {
            harness.send(block(0, 2, new int[] {0}, 0), block(3, 2, new int[] {0}, 0));
            assertThat(outcomes(harness)).containsExactly(Outcome.OVERFLOWED, Outcome.OVERFLOWED);
            harness.processWatermark(59_999);
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(record -> record.getValue().key(), r -> r.getValue().counts())
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
                    .extracting(record -> record.getValue().counts())
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
    void fillsCallsUpWherePaddingIsAskedFor() throws Exception {
        use(NumberedBundle.write(directory.resolve("counting"), N, 2, FixedExperts.countingRows()));
        for (boolean padding : new boolean[] {false, true}) {
            options.set(MoeOptions.EXPERT_BATCH_PADDING, padding);
            try (var harness = open(new Dropless())) {
                harness.send(block(1, 0, new int[] {2}, 0));
                harness.prepareSnapshotPreBarrier(1);
                float rowsOfTheCall = padding ? ExpertBlocks.BATCH : 1;
                Vectors answer = harness.extractOutputValues().get(0).vectors();
                assertThat(Floats.toFloats(answer.toBytes()))
                        .hasSize(N)
                        .containsOnly(rowsOfTheCall);
            }
        }
    }

    private void use(Bundle bundle) {
        options = ExpertBlocks.options(bundle);
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
}
