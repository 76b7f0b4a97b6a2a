package io.flinkmoe.runtime.combine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.Rescale;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ResidualBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.Backend;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.KeyedTwoInputStreamOperatorTestHarness;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource
class CombineTest {

    private static final EvenKeys LANES = new EvenKeys(4);
    private static final int D = 2;
    private static final int K = 2;

    @Parameter private Backend backend;

    @Test
    void addsTheOutputsInOrderOfRankWhateverTheOrderOfArrival() throws Exception {
        // 1e8 + 1 - 1e8 depends on the order in float32.
        float[] residual = {1e8f, 0};
        ContributionBlock first = executed(0, 0, new int[] {0}, 1f);
        ContributionBlock second = executed(0, 0, new int[] {1}, -1e8f);
        for (List<ContributionBlock> order :
                List.of(List.of(first, second), List.of(second, first))) {
            try (var harness = open(null)) {
                residual(harness, 0, 0, 1f, residual, "a");
                for (ContributionBlock answer : order) {
                    answer(harness, answer);
                }
                float[] y = Floats.toFloats(harness.extractOutputValues().get(0).vectors());
                assertThat(y[0]).isEqualTo((1e8f + 1f) - 1e8f);
            }
        }
    }

    @Test
    void multipliesByTheWeightAndKeepsTheResidualOfWhatWasNotExecuted() throws Exception {
        try (var harness = open(null)) {
            residual(harness, 0, 0, 0.5f, new float[] {10, 20}, "a");
            answer(harness, executed(0, 0, new int[] {0}, 4));
            answer(harness, refused(0, 0, new int[] {1}, Outcome.OVERFLOWED));

            TokenBlock tokens = harness.extractOutputValues().get(0);
            assertThat(Floats.toFloats(tokens.vectors())).containsExactly(12, 22);
            assertThat(tokens.layers()[0].outcomes())
                    .containsExactly(Outcome.EXECUTED.code(), Outcome.OVERFLOWED.code());
        }
    }

    @Test
    void letsTheExecutedChoicesShareAllTheWeightWhereTheCapacitySaysSo() throws Exception {
        Capacity capacity =
                Capacity.firstCome(new TumblingWindows(60_000), 2).weighedBy(WeightRule.SURVIVORS);
        try (var harness = open(capacity)) {
            residual(
                    harness, 0, 0, 0.25f, new float[] {10, 20, 1, 1, 5, 6}, "a", 1, "b", 2, "c", 3);
            answer(harness, executed(0, 0, new int[] {0, 2, 3}, 4));
            answer(harness, refused(0, 0, new int[] {1, 4}, Outcome.OVERFLOWED));
            answer(harness, refused(0, 0, new int[] {5}, Outcome.FAILED));

            TokenBlock tokens = harness.extractOutputValues().get(0);
            assertThat(tokens.layers()[0].weights()).containsExactly(1, 0, 0.5f, 0.5f, 0, 0);
            assertThat(Floats.toFloats(tokens.vectors())).containsExactly(14, 24, 5, 5, 5, 6);
        }
    }

    @Test
    void takesAnswersThatComeBeforeTheResidual() throws Exception {
        try (var harness = open(null)) {
            answer(harness, executed(0, 0, new int[] {0, 1}, 1));
            assertThat(harness.extractOutputValues()).isEmpty();
            residual(harness, 0, 0, 1f, new float[] {0, 0}, "a");
            assertThat(harness.extractOutputValues()).hasSize(1);
        }
    }

    @Test
    void letsATokenGoAtOnceThatAsksNoExpert() throws Exception {
        try (var harness = open(null)) {
            Choices late =
                    new Choices(
                            K,
                            new int[K],
                            new float[K],
                            new byte[] {Outcome.LATE.code(), Outcome.LATE.code()});
            ResidualBlock block = new ResidualBlock(0, tokens(0, new float[] {3, 4}, "a"), late);
            harness.processElement1(new StreamRecord<>(block));
            assertThat(Floats.toFloats(harness.extractOutputValues().get(0).vectors()))
                    .containsExactly(3, 4);
        }
    }

    @Test
    void keepsTheOrderOfAStreamButNotOfOthersAtAWatermark() throws Exception {
        try (var harness = open(null)) {
            residual(harness, 0, 0, 1f, new float[] {0, 0}, "a", 1);
            residual(harness, 0, 1, 1f, new float[] {0, 0, 0, 0}, "a", 2, "b", 3);
            answer(harness, executed(0, 1, new int[] {0, 1, 2, 3}, 1));
            assertThat(harness.extractOutputValues()).isEmpty();

            harness.processBothWatermarks(new Watermark(10));
            assertThat(streams(harness)).containsExactly("b");

            answer(harness, executed(0, 0, new int[] {0, 1}, 1));
            assertThat(streams(harness)).containsExactly("b", "a", "a");
        }
    }

    @Test
    void letsNoWatermarkPassATokenThatWaits() throws Exception {
        try (var harness = open(null)) {
            residual(harness, 0, 0, 1f, new float[] {0, 0}, "a", 5);
            harness.processBothWatermarks(new Watermark(10));
            assertThat(harness.getOutput()).containsExactly(new Watermark(4));

            answer(harness, executed(0, 0, new int[] {0, 1}, 1));

            assertThat(harness.getOutput()).endsWith(new Watermark(10));
        }
    }

    /** Else the next layer would close no window as long as late tokens come. */
    @Test
    void letsTheWatermarkPassALateTokenThatWaitsBehindOneOfItsStream() throws Exception {
        try (var harness = open(null)) {
            residual(harness, 0, 0, 1f, new float[] {0, 0}, "a", 500);
            TokenBlock tokens =
                    tokens(0, new float[] {0, 0}, "a", 5).withLate(new boolean[] {true});
            byte[] outcomes = {Outcome.LATE.code(), Outcome.LATE.code()};
            Choices choices = new Choices(K, new int[K], new float[K], outcomes);
            harness.processElement1(new StreamRecord<>(new ResidualBlock(1, tokens, choices)));

            harness.processBothWatermarks(new Watermark(100));

            assertThat(harness.getOutput()).containsExactly(new Watermark(100));
            answer(harness, executed(0, 0, new int[] {0, 1}, 1));
            assertThat(harness.extractOutputValues())
                    .extracting(block -> block.timestamps()[0])
                    .containsExactly(500L, 5L);
        }
    }

    @Test
    void forwardsTheLastWatermarkAsItIs() throws Exception {
        try (var harness = open(null)) {
            residual(harness, 0, 0, 1f, new float[] {0, 0}, "a", 5);
            answer(harness, executed(0, 0, new int[] {0, 1}, 1));
            harness.processBothWatermarks(Watermark.MAX_WATERMARK);
            assertThat(harness.getOutput()).endsWith(Watermark.MAX_WATERMARK);
        }
    }

    @Test
    void waitsForAnEarlierBatchThatComesLaterAfterAChangeOfParallelism() throws Exception {
        try (var harness = open(null)) {
            residual(harness, 0, 1, 1f, new float[] {1, 1}, "a", 2);
            answer(harness, executed(0, 1, new int[] {0, 1}, 1));
            harness.processBothWatermarks(new Watermark(1));
            assertThat(harness.extractOutputValues()).isEmpty();

            residual(harness, 0, 0, 1f, new float[] {0, 0}, "a", 1);
            answer(harness, executed(0, 0, new int[] {0, 1}, 1));

            assertThat(harness.extractOutputValues())
                    .extracting(block -> block.timestamps()[0])
                    .containsExactly(1L, 2L);
        }
    }

    @Test
    void doesNotChangeWhatIsInState() {
        Choices none = new Choices(1, new int[2], new float[2], new byte[] {0, 0});
        ResidualBlock block =
                new ResidualBlock(1, tokens(0, new float[] {0, 0, 0, 0}, "a", 1, "b", 1), none);
        boolean[] inState = {true, false};
        LaneProgress progress = new LaneProgress(1);
        progress.addResiduals(block, inState);
        assertThat(progress.pollAll()).hasSize(1);
        assertThat(inState).containsExactly(true, false);
    }

    @Test
    void keepsWhatWaitsOverRestoresAndRescaling() throws Exception {
        // A harness that is closed ends its input, which these must not: they are killed.
        var killed = open(null);
        residual(killed, 0, 0, 1f, new float[] {1, 1}, "a");
        answer(killed, executed(0, 0, new int[] {0}, 2));
        answer(killed, executed(3, 1, new int[] {1}, 5));
        residual(killed, 3, 0, 1f, new float[] {0, 0, 0, 0}, "b", 1, "c", 1);
        answer(killed, executed(3, 0, new int[] {2, 3}, 1));
        killed.processBothWatermarks(new Watermark(10));
        assertThat(streams(killed)).containsExactly("c");
        OperatorSubtaskState one = killed.snapshot(1, 1);

        OperatorSubtaskState low;
        try (var harness = restore(null, 2, 0, Rescale.to(2, 0, LANES, one))) {
            answer(harness, executed(0, 0, new int[] {1}, 3));
            assertThat(Floats.toFloats(harness.extractOutputValues().get(0).vectors()))
                    .containsExactly(6, 6);
            low = harness.snapshot(2, 2);
        }
        killed = restore(null, 2, 1, Rescale.to(2, 1, LANES, one));
        residual(killed, 3, 1, 1f, new float[] {2, 2}, "b");
        OperatorSubtaskState high = killed.snapshot(2, 2);

        try (var harness = restore(null, 1, 0, Rescale.to(1, 0, LANES, low, high))) {
            answer(harness, executed(3, 1, new int[] {0}, 1));
            assertThat(harness.extractOutputValues()).isEmpty();
            answer(harness, executed(3, 0, new int[] {0, 1}, 1));
            assertThat(streams(harness)).containsExactly("b", "b");
            assertThat(Floats.toFloats(harness.extractOutputValues().get(1).vectors()))
                    .containsExactly(8, 8);
            // The number of the next batch to leave, per lane.
            assertThat(Backend.entries(harness.getOperator())).isEqualTo(2);
        }
    }

    @Test
    void givesTheAccountOfWhatBecameOfAWindowsChoices() throws Exception {
        try (var harness = open(Capacity.firstCome(new TumblingWindows(60_000), 2))) {
            residual(harness, 2, 0, 1f, new float[] {0, 0}, "a", 5);
            harness.processBothWatermarks(new Watermark(60_000));
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES)).isNullOrEmpty();
            answer(harness, executed(2, 0, new int[] {0}, 1));
            answer(harness, refused(2, 0, new int[] {1}, Outcome.FAILED));
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(StreamRecord::getValue)
                    .containsExactly(
                            new WindowSummary(
                                    0,
                                    0,
                                    WindowSummary.Source.COMBINE,
                                    0,
                                    2,
                                    new WindowCounts(2, 1, 0, 0, 0, 1)));
        }
    }

    @Test
    void refusesToEndWhileATokenWaits() throws Exception {
        var harness = open(null);
        residual(harness, 0, 0, 1f, new float[] {0, 0}, "a");
        assertThatThrownBy(() -> harness.getOperator().finish()).hasMessageContaining("lane 0");
    }

    private KeyedTwoInputStreamOperatorTestHarness<
                    Integer, ResidualBlock, ContributionBlock, TokenBlock>
            open(Capacity capacity) throws Exception {
        return restore(capacity, 1, 0, null);
    }

    private KeyedTwoInputStreamOperatorTestHarness<
                    Integer, ResidualBlock, ContributionBlock, TokenBlock>
            restore(Capacity capacity, int parallelism, int subtask, OperatorSubtaskState state)
                    throws Exception {
        var harness =
                new KeyedTwoInputStreamOperatorTestHarness<>(
                        new Combine(0, D, LANES, capacity),
                        (ResidualBlock block) -> LANES.keyOf(block.tokens().lane()),
                        (ContributionBlock block) -> LANES.keyOf(block.lane()),
                        Types.INT,
                        LANES.maxParallelism(),
                        parallelism,
                        subtask);
        harness.setStateBackend(backend.make());
        if (state != null) {
            harness.initializeState(state);
        }
        harness.open();
        return harness;
    }

    /** Sends tokens that ask two experts each. @param streams stream, timestamp, stream, … */
    private static void residual(
            KeyedTwoInputStreamOperatorTestHarness<
                            Integer, ResidualBlock, ContributionBlock, TokenBlock>
                    harness,
            int lane,
            long batch,
            float weight,
            float[] vectors,
            Object... streams)
            throws Exception {
        TokenBlock tokens = tokens(lane, vectors, streams);
        float[] weights = new float[tokens.rows() * K];
        byte[] outcomes = new byte[tokens.rows() * K];
        Arrays.fill(weights, weight);
        Arrays.fill(outcomes, Choices.PENDING);
        Choices choices = new Choices(K, new int[tokens.rows() * K], weights, outcomes);
        harness.processElement1(new StreamRecord<>(new ResidualBlock(batch, tokens, choices)));
    }

    private static TokenBlock tokens(int lane, float[] vectors, Object... streams) {
        int rows = vectors.length / D;
        String[] names = new String[rows];
        long[] timestamps = new long[rows];
        for (int row = 0; row < rows; row++) {
            names[row] = (String) streams[Math.min(2 * row, streams.length - 1)];
            timestamps[row] = streams.length > 1 ? (Integer) streams[2 * row + 1] : 0;
        }
        return new TokenBlock(
                lane, names, new long[rows], timestamps, Floats.toBytes(vectors), new Choices[0]);
    }

    private static void answer(
            KeyedTwoInputStreamOperatorTestHarness<
                            Integer, ResidualBlock, ContributionBlock, TokenBlock>
                    harness,
            ContributionBlock block)
            throws Exception {
        harness.processElement2(new StreamRecord<>(block));
    }

    private static ContributionBlock executed(int lane, long batch, int[] choices, float value) {
        float[] outputs = new float[choices.length * D];
        Arrays.fill(outputs, value);
        return new ContributionBlock(
                lane,
                batch,
                0,
                choices,
                new byte[choices.length],
                new float[0],
                Vectors.of(Floats.toBytes(outputs)));
    }

    private static ContributionBlock refused(int lane, long batch, int[] choices, Outcome outcome) {
        byte[] outcomes = new byte[choices.length];
        Arrays.fill(outcomes, outcome.code());
        return new ContributionBlock(lane, batch, 0, choices, outcomes, new float[0], Vectors.NONE);
    }

    private static List<String> streams(
            KeyedTwoInputStreamOperatorTestHarness<
                            Integer, ResidualBlock, ContributionBlock, TokenBlock>
                    harness) {
        return harness.extractOutputValues().stream()
                .flatMap(block -> Arrays.stream(block.streams()))
                .toList();
    }
}
