// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import static io.flinkmoe.runtime.combine.CombineBlocks.D;
import static io.flinkmoe.runtime.combine.CombineBlocks.K;
import static io.flinkmoe.runtime.combine.CombineBlocks.executed;
import static io.flinkmoe.runtime.combine.CombineBlocks.failed;
import static io.flinkmoe.runtime.combine.CombineBlocks.residual;
import static io.flinkmoe.runtime.combine.CombineBlocks.tokens;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.shared.LaneProgress;
import io.flinkmoe.runtime.shared.WaitingTokens;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.CombineHarness;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** What a combine makes of answers. */
@ParameterizedClass
@EnumSource
class CombineTest {

    @Parameter private Backend backend;
    @TempDir private static Path directory;
    private static Bundle bundle;

    @BeforeAll
    static void writeBundle() {
        bundle = NumberedBundle.write(directory.resolve("bundle"), D, K, 1);
    }

    @Test
    void addsTheOutputsInOrderOfRankWhateverTheOrderOfArrival() throws Exception {
        // 1e8 + 1 - 1e8 depends on the order in float32.
        float[] residual = {1e8f, 0};
        ContributionBlock first = executed(0, 0, new int[] {0}, 1f);
        ContributionBlock second = executed(0, 0, new int[] {1}, -1e8f);
        for (List<ContributionBlock> order :
                List.of(List.of(first, second), List.of(second, first))) {
            try (var harness = open(new Dropless())) {
                residual(harness, 0, 0, 1f, residual, "a");
                for (ContributionBlock answer : order) {
                    harness.send(answer);
                }
                float[] y = Floats.toFloats(harness.extractOutputValues().get(0).vectors());
                assertThat(y[0]).isEqualTo((1e8f + 1f) - 1e8f);
            }
        }
    }

    @Test
    void multipliesByTheWeightAndKeepsTheResidualOfWhatWasNotExecuted() throws Exception {
        try (var harness = open(new Dropless())) {
            residual(harness, 0, 0, 0.5f, new float[] {10, 20}, "a");
            harness.send(executed(0, 0, new int[] {0}, 4));
            harness.send(failed(0, 0, 1));

            TokenBlock tokens = harness.extractOutputValues().get(0);
            assertThat(Floats.toFloats(tokens.vectors())).containsExactly(12, 22);
            assertThat(tokens.layers()[0].outcomes())
                    .containsExactly(Outcome.EXECUTED.code(), Outcome.FAILED.code());
        }
    }

    @Test
    void letsTheExecutedChoicesShareAllTheWeightWhereTheCapacitySaysSo() throws Exception {
        Capacity capacity =
                FirstCome.of(new TumblingWindows(60_000), 2).withWeightRule(WeightRule.SURVIVORS);
        try (var harness = open(capacity)) {
            residual(
                    harness, 0, 0, 0.25f, new float[] {10, 20, 1, 1, 5, 6}, "a", 1, "b", 2, "c", 3);
            harness.send(executed(0, 0, new int[] {0, 2, 3}, 4));
            harness.send(failed(0, 0, 1, 4, 5));

            TokenBlock tokens = harness.extractOutputValues().get(0);
            assertThat(tokens.layers()[0].weights()).containsExactly(1, 0, 0.5f, 0.5f, 0, 0);
            assertThat(Floats.toFloats(tokens.vectors())).containsExactly(14, 24, 5, 5, 5, 6);
        }
    }

    @Test
    void takesAnswersThatComeBeforeTheResidual() throws Exception {
        try (var harness = open(new Dropless())) {
            harness.send(executed(0, 0, new int[] {0, 1}, 1));
            assertThat(harness.extractOutputValues()).isEmpty();
            residual(harness, 0, 0, 1f, new float[] {0, 0}, "a");
            assertThat(harness.extractOutputValues()).hasSize(1);
        }
    }

    @Test
    void letsATokenGoAtOnceThatAsksNoExpert() throws Exception {
        try (var harness = open(new Dropless())) {
            Choices late =
                    new Choices(
                            K,
                            new int[K],
                            new float[K],
                            new byte[] {Outcome.LATE.code(), Outcome.LATE.code()});
            RoutedBlock block = new RoutedBlock(0, tokens(0, new float[] {3, 4}, "a"), late);
            harness.send(block);
            assertThat(Floats.toFloats(harness.extractOutputValues().get(0).vectors()))
                    .containsExactly(3, 4);
        }
    }

    @Test
    void doesNotChangeWhatIsInState() {
        Choices none = new Choices(1, new int[2], new float[2], new byte[] {0, 0});
        RoutedBlock block =
                new RoutedBlock(1, tokens(0, new float[] {0, 0, 0, 0}, "a", 1, "b", 1), none);
        boolean[] inState = {true, false};
        LaneProgress progress = new LaneProgress(1, Integer.MAX_VALUE);
        progress.addTokens(1, WaitingTokens.of(block), inState);
        progress.scan();
        assertThat(progress.pollScanned().rows()).containsExactly(1);
        assertThat(inState).containsExactly(true, false);
    }

    @Test
    void emitsTheOutcomesOfTheChoicesOfAWindow() throws Exception {
        try (var harness = open(FirstCome.of(new TumblingWindows(60_000), 2))) {
            residual(harness, 2, 0, 1f, new float[] {0, 0}, "a", 5);
            harness.processBothWatermarks(new Watermark(60_000));
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES)).isNullOrEmpty();
            harness.send(executed(2, 0, new int[] {0}, 1));
            harness.send(failed(2, 0, 1));
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(StreamRecord::getValue)
                    .containsExactly(
                            new WindowSummary(
                                    0,
                                    0,
                                    WindowSummary.Source.COMBINE,
                                    0,
                                    WindowSummary.NONE,
                                    2,
                                    new WindowCounts(2, 0, 0, 1, 0, 0, 0, 1, 1)),
                            new WindowSummary(
                                    0,
                                    0,
                                    WindowSummary.Source.EXPERT,
                                    0,
                                    0,
                                    2,
                                    new WindowCounts(2, 0, 0, 1, 0, 0, 0, 1, 0)));
        }
    }

    private CombineHarness open(Capacity capacity) throws Exception {
        return OperatorHarnesses.of(CombineBlocks.options(bundle))
                .stateBackend(backend.make())
                .capacity(capacity)
                .combine(0);
    }
}
