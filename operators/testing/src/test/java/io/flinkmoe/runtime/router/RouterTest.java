package io.flinkmoe.runtime.router;

import static org.assertj.core.api.Assertions.as;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.config.Draws;
import io.flinkmoe.config.RouterSettings;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import io.flinkmoe.runtime.Rescale;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.ExpertInputSerializer;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.ResidualBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource
class RouterTest {

    private static final EvenKeys LANES = new EvenKeys(4);
    private static final TumblingWindows WINDOWS = new TumblingWindows(60_000);
    private static final Capacity MINUTE = Capacity.firstCome(WINDOWS, 2);
    private static final int N = 4;
    private static final int MAX_ROWS = 16;

    @Parameter private Backend backend;
    @TempDir private static Path directory;
    private static LocalBundle bundle;

    @BeforeAll
    static void writeBundle() {
        Bundle written = TinyBundle.write(directory.resolve("bundle"), N, 2, 1);
        bundle = new LocalBundle(written.directory().toString(), written.spec().version());
    }

    @Test
    void sendsEachTokenToItsTwoMostProbableExperts() throws Exception {
        try (var harness = open(null, 1, 0)) {
            float[] first = {0, 3, 2, 0};
            float[] second = {1, 0, 4, 0};
            send(harness, block(0, new long[] {10, 20}, first, second));

            List<DispatchBlock> dispatched = dispatched(harness);
            assertThat(dispatched).extracting(DispatchBlock::expert).containsExactly(0, 1, 2);
            assertThat(dispatched.get(0).choices()).containsExactly(3);
            assertThat(dispatched.get(1).choices()).containsExactly(0);
            assertThat(dispatched.get(2).choices()).containsExactly(1, 2);
            assertThat(dispatched.get(2).timestamps()).containsExactly(10, 20);
            assertThat(Floats.toFloats(dispatched.get(2).vectors().toBytes()))
                    .containsExactly(0, 3, 2, 0, 1, 0, 4, 0);

            ResidualBlock residual = residuals(harness).get(0);
            assertThat(residual.choices().experts()).containsExactly(1, 2, 2, 0);
            assertThat(residual.choices().outcomes()).containsOnly(Choices.PENDING);
            assertThat(residual.choices().weights()[0] + residual.choices().weights()[1])
                    .isEqualTo(1f);
            assertThat(Floats.toFloats(residual.tokens().vectors()))
                    .containsExactly(0, 3, 2, 0, 1, 0, 4, 0);
        }
    }

    @Test
    void numbersTheBatchesOfALaneOverRestoresAndRescaling() throws Exception {
        OperatorSubtaskState one;
        try (var harness = open(null, 1, 0)) {
            send(harness, token(0), token(3), token(3));
            one = harness.snapshot(1, 1);
        }
        OperatorSubtaskState low;
        try (var harness = restore(null, 2, 0, Rescale.to(2, 0, LANES, one))) {
            send(harness, token(0));
            assertThat(residuals(harness)).extracting(ResidualBlock::batch).containsExactly(1L);
            low = harness.snapshot(2, 2);
        }
        OperatorSubtaskState high;
        try (var harness = restore(null, 2, 1, Rescale.to(2, 1, LANES, one))) {
            send(harness, token(3));
            assertThat(residuals(harness)).extracting(ResidualBlock::batch).containsExactly(2L);
            high = harness.snapshot(2, 2);
        }
        try (var harness = restore(null, 1, 0, Rescale.to(1, 0, LANES, low, high))) {
            send(harness, token(0), token(3), token(1));
            assertThat(residuals(harness))
                    .extracting(ResidualBlock::batch)
                    .containsExactly(2L, 3L, 0L);
        }
    }

    @Test
    void refusesStateOfAnotherNumberOfLanes() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(null, 1, 0)) {
            send(harness, token(0));
            state = harness.snapshot(1, 1);
        }
        EvenKeys other = new EvenKeys(8);
        var harness =
                new KeyedOneInputStreamOperatorTestHarness<>(
                        new Router(bundle, 0, MAX_ROWS, other, RouterSettings.of(null)),
                        (TokenBlock block) -> other.keyOf(block.lane()),
                        Types.INT,
                        other.maxParallelism(),
                        1,
                        0);
        harness.setStateBackend(backend.make());
        harness.initializeState(state);
        assertThatThrownBy(harness::open)
                .hasMessageContaining("moe.lanes is 8, but the checkpoint was written with 4");
    }

    @Test
    void refusesStateOfOtherWindows() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(MINUTE, 1, 0)) {
            send(harness, token(0));
            state = harness.snapshot(1, 1);
        }
        Capacity twoMinutes = Capacity.firstCome(new TumblingWindows(120_000), 1);
        assertThatThrownBy(() -> restore(twoMinutes, 1, 0, state))
                .hasMessageContaining(
                        "moe.capacity.window.size is 2 min, but the checkpoint was written with 1 min");
        assertThatThrownBy(() -> restore(null, 1, 0, state))
                .hasMessageContaining(
                        "moe.capacity.window.size is none, but the checkpoint was written with 1 min");
    }

    @Test
    void aTokenThatIsNotReadableDoesNotFailTheJobThoughTheModelReadsNoZerosEither(@TempDir Path own)
            throws Exception {
        Bundle strict = TinyBundle.writeWithStricterEncoder(own.resolve("stricter"), N, 2);
        try (var harness = open(strict)) {
            send(harness, block(0, new long[2], new float[N], new float[] {1, 3, 2, 0}));

            assertThat(harness.getSideOutput(DeadLetter.OUTPUT))
                    .extracting(record -> record.getValue().reason())
                    .singleElement(as(STRING))
                    .startsWith("the model cannot read position 0 of stream s: ");
            assertThat(residuals(harness).get(0).tokens().positions()).containsExactly(1);
        }
    }

    @Test
    void aModelThatReadsNothingFailsTheJobThoughNotAtTheFirstToken(@TempDir Path own)
            throws Exception {
        Bundle strict = TinyBundle.writeWithStricterEncoder(own.resolve("stricter"), N, 2);
        try (var harness = open(strict)) {
            for (int token = 1; token < 1_000; token++) {
                send(harness, block(0, new long[1], new float[N]));
            }
            assertThat(harness.getSideOutput(DeadLetter.OUTPUT)).hasSize(999);
            assertThatThrownBy(() -> send(harness, block(0, new long[1], new float[N])))
                    .hasMessageContaining("fails on every input, the first 1000 tokens and zeros");
        }
    }

    @Test
    void callsATokenLateWhoseWindowIsClosedAlsoAfterARestore() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(MINUTE, 1, 0)) {
            harness.processWatermark(59_999);
            send(harness, block(0, new long[] {59_999, 60_000}, row(), row()));
            assertThat(residuals(harness).get(0).choices().outcomes())
                    .containsExactly(
                            Outcome.LATE.code(),
                            Outcome.LATE.code(),
                            Choices.PENDING,
                            Choices.PENDING);
            assertThat(dispatched(harness)).extracting(DispatchBlock::rows).containsExactly(1, 1);
            state = harness.snapshot(1, 1);
        }
        try (var harness = restore(MINUTE, 2, 1, Rescale.to(2, 1, LANES, state))) {
            send(harness, block(3, new long[] {59_999}, row()));
            assertThat(residuals(harness).get(0).choices().outcomes())
                    .containsOnly(Outcome.LATE.code());
        }
    }

    @Test
    void takesTheWordOfTheIngestThatATokenIsLate() throws Exception {
        try (var harness = open(MINUTE, 1, 0)) {
            TokenBlock block = block(0, new long[] {1, 2}, row(), row());
            send(harness, block.withLate(new boolean[] {false, true}));
            ResidualBlock residual = residuals(harness).get(0);
            assertThat(residual.choices().outcomes())
                    .containsExactly(
                            Choices.PENDING,
                            Choices.PENDING,
                            Outcome.LATE.code(),
                            Outcome.LATE.code());
            assertThat(residual.tokens().late())
                    .as("for later layers")
                    .containsExactly(false, true);
        }
    }

    @Test
    void divertsLateTokensOnRequest() throws Exception {
        RouterSettings diverting = new RouterSettings(MINUTE, true, Draws.SEEDED, false, false);
        try (var harness = restore(bundle, diverting, 1, 0, null)) {
            harness.processWatermark(59_999);
            send(harness, block(0, new long[] {59_999, 60_000}, row(), row()));
            send(harness, block(0, new long[] {3}, row()));
            assertThat(residuals(harness)).singleElement().matches(r -> r.tokens().rows() == 1);
            assertThat(harness.getSideOutput(Router.LATE_TOKENS))
                    .extracting(record -> record.getValue().timestamp())
                    .containsExactly(59_999L, 3L);
            harness.processWatermark(119_999);
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(record -> record.getValue().account().late())
                    .contains(4L);
        }
    }

    @Test
    void knowsTheExpertsThatOverflowMayTryNext() throws Exception {
        Capacity rounds =
                Capacity.prioritized(WINDOWS, CapacityFormula.fixed(1), AdmissionOrder.GATE_SCORE)
                        .withOverflowRounds(1);
        try (var harness = open(rounds, 1, 0)) {
            send(harness, block(0, new long[] {10}, new float[] {0, 3, 2, 1}));
            Choices choices = residuals(harness).get(0).choices();
            assertThat(choices.experts()).containsExactly(1, 2, 3, 0);
            Priorities ofExpertOne = dispatched(harness).get(0).priorities();
            float[] p = Scores.of(ScoringFunc.SOFTMAX, new float[] {0, 3, 2, 1}, N);
            assertThat(ofExpertOne.scores()).containsExactly(p[1], p[3]);
            assertThat(ofExpertOne.nextExperts()).containsExactly(3);
            assertThat(dispatched(harness).get(1).priorities().nextExperts()).containsExactly(0);
        }
    }

    @Test
    void callsNothingLateWithoutWindows() throws Exception {
        try (var harness = open(null, 1, 0)) {
            harness.processWatermark(Long.MAX_VALUE);
            send(harness, token(0));
            assertThat(residuals(harness).get(0).choices().outcomes())
                    .containsOnly(Choices.PENDING);
        }
    }

    @Test
    void marksATokenFailedWhoseLogitsAreNotFinite() throws Exception {
        try (var harness = open(null, 1, 0)) {
            send(harness, block(0, new long[] {0, 1}, new float[] {Float.NaN, 0, 0, 0}, row()));
            Choices choices = residuals(harness).get(0).choices();
            assertThat(choices.outcomes())
                    .containsExactly(
                            Outcome.FAILED.code(),
                            Outcome.FAILED.code(),
                            Choices.PENDING,
                            Choices.PENDING);
            assertThat(choices.experts()).startsWith(-1, -1);
            assertThat(harness.extractOutputValues()).hasSize(2);
        }
    }

    @Test
    void rejectsTheTokensThatTheEncoderThrowsAtAndRoutesTheOthers(@TempDir Path own)
            throws Exception {
        Bundle strict = TinyBundle.writeWithStrictEncoder(own.resolve("strict"), N, 2);
        try (var harness = open(strict)) {
            float[] unknown = {N, 0, 0, 0};
            send(harness, block(0, new long[] {1, 2, 3}, row(1), unknown, row(2)));
            assertThat(residuals(harness))
                    .extracting(ResidualBlock::batch, block -> block.tokens().timestamps()[0])
                    .containsExactly(tuple(0L, 1L), tuple(1L, 3L));
            assertThat(harness.getSideOutput(DeadLetter.OUTPUT)).hasSize(1);
            DeadLetter letter = harness.getSideOutput(DeadLetter.OUTPUT).peek().getValue();
            assertThat(letter.reason()).contains("position 1 of stream s");
            assertThat(letter.token().values()).isEqualTo(unknown);
        }
    }

    @Test
    void routesABlockThatIsLargerThanItsBuffersInParts() throws Exception {
        try (var harness = open(null, 1, 0)) {
            float[][] rows = new float[MAX_ROWS + 1][];
            Arrays.fill(rows, row());
            send(harness, block(0, new long[MAX_ROWS + 1], rows));
            assertThat(residuals(harness))
                    .extracting(block -> block.tokens().rows())
                    .containsExactly(MAX_ROWS, 1);
        }
    }

    @Test
    void givesTheAccountOfALaneWhenItsWindowCloses() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(MINUTE, 1, 0)) {
            send(harness, block(1, new long[] {0, 59_999, 60_000}, row(), row(), row()));
            state = harness.snapshot(1, 1);
        }
        try (var harness = restore(MINUTE, 1, 0, state)) {
            harness.processWatermark(59_999);
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(StreamRecord::getValue)
                    .containsExactly(
                            new WindowSummary(
                                    0,
                                    0,
                                    WindowSummary.Source.ROUTER,
                                    0,
                                    1,
                                    WindowCounts.EMPTY.plusAsked(4)));
        }
    }

    @Test
    void sendsScoresStreamsAndPositionsWhenTheExpertsOrderTheirRows() throws Exception {
        Capacity prioritized =
                Capacity.prioritized(WINDOWS, CapacityFormula.fixed(1), AdmissionOrder.GATE_SCORE);
        float[] first = {0, 3, 2, 0};
        float[] second = {1, 0, 4, 0};
        try (var harness = open(prioritized, 1, 0)) {
            send(harness, block(0, new long[] {10, 20}, first, second));

            float[] logits = {0, 3, 2, 0, 1, 0, 4, 0};
            float[] p = Scores.of(ScoringFunc.SOFTMAX, logits, N);
            Priorities ofExpertTwo = dispatched(harness).get(2).priorities();
            assertThat(ofExpertTwo.streams()).containsExactly("s", "s");
            assertThat(ofExpertTwo.positions()).containsExactly(0, 1);
            assertThat(ofExpertTwo.topScores()).containsExactly(p[1], p[6]);
            assertThat(ofExpertTwo.scores()).containsExactly(p[2], p[6]);
        }
        try (var harness = open(MINUTE, 1, 0)) {
            send(harness, block(0, new long[] {10, 20}, first, second));
            assertThat(dispatched(harness))
                    .allSatisfy(block -> assertThat(block.priorities().scores()).isEmpty());
        }
    }

    @Test
    void tellsEveryExpertTheTokensOfAClosedWindowBeforeTheWatermark() throws Exception {
        Capacity factor =
                Capacity.prioritized(WINDOWS, CapacityFormula.vmoe(1), AdmissionOrder.POSITION);
        OperatorSubtaskState state;
        try (var harness = open(factor, 1, 0)) {
            send(harness, block(1, new long[] {0, 59_999, 60_000}, row(), row(), row()), token(3));
            state = harness.snapshot(1, 1);
        }
        try (var harness = restore(factor, 1, 0, state)) {
            send(harness, token(1));
            harness.getOutput().clear();
            harness.processWatermark(59_999);
            assertThat(harness.extractOutputValues())
                    .hasSize(2 * N)
                    .contains(new WindowTokens(0, 1, 0, 3), new WindowTokens(3, 1, 0, 3))
                    .contains(new WindowTokens(0, 3, 0, 1), new WindowTokens(3, 3, 0, 1));
            assertThat(harness.getOutput()).endsWith(new Watermark(59_999));

            harness.getOutput().clear();
            send(harness, token(1), block(2, new long[] {0}, new float[] {Float.NaN, 0, 0, 0}));
            assertThat(residuals(harness))
                    .last(InstanceOfAssertFactories.type(ResidualBlock.class))
                    .satisfies(
                            block ->
                                    assertThat(block.choices().outcomes())
                                            .containsOnly(Outcome.LATE.code()));
            harness.processWatermark(60_000);
            assertThat(harness.extractOutputValues()).as("late tokens do not count").isEmpty();
        }
    }

    @Test
    void tellsNobodyTheTokensWhenCapacityIsFixed() throws Exception {
        try (var harness = open(MINUTE, 1, 0)) {
            send(harness, token(1));
            harness.getOutput().clear();
            harness.processWatermark(59_999);
            assertThat(harness.getOutput()).containsExactly(new Watermark(59_999));
        }
    }

    @Test
    void forwardsWatermarksButNoIdleness() throws Exception {
        try (var harness = open(MINUTE, 1, 0)) {
            harness.processWatermark(7);
            harness.processWatermarkStatus(WatermarkStatus.IDLE);
            assertThat(harness.getOutput()).containsExactly(new Watermark(7));
        }
    }

    private KeyedOneInputStreamOperatorTestHarness<Integer, TokenBlock, ExpertInput> open(
            Bundle other) throws Exception {
        LocalBundle location =
                new LocalBundle(other.directory().toString(), other.spec().version());
        return restore(location, RouterSettings.of(null), 1, 0, null);
    }

    private KeyedOneInputStreamOperatorTestHarness<Integer, TokenBlock, ExpertInput> open(
            Capacity capacity, int parallelism, int subtask) throws Exception {
        return restore(capacity, parallelism, subtask, null);
    }

    private KeyedOneInputStreamOperatorTestHarness<Integer, TokenBlock, ExpertInput> restore(
            Capacity capacity, int parallelism, int subtask, OperatorSubtaskState state)
            throws Exception {
        return restore(bundle, RouterSettings.of(capacity), parallelism, subtask, state);
    }

    private KeyedOneInputStreamOperatorTestHarness<Integer, TokenBlock, ExpertInput> restore(
            LocalBundle location,
            RouterSettings settings,
            int parallelism,
            int subtask,
            OperatorSubtaskState state)
            throws Exception {
        var harness =
                new KeyedOneInputStreamOperatorTestHarness<>(
                        new Router(location, 0, MAX_ROWS, LANES, settings),
                        (TokenBlock block) -> LANES.keyOf(block.lane()),
                        Types.INT,
                        LANES.maxParallelism(),
                        parallelism,
                        subtask);
        harness.setStateBackend(backend.make());
        harness.setup(new ExpertInputSerializer());
        if (state != null) {
            harness.initializeState(state);
        }
        harness.open();
        return harness;
    }

    private static void send(
            KeyedOneInputStreamOperatorTestHarness<Integer, TokenBlock, ExpertInput> harness,
            TokenBlock... blocks)
            throws Exception {
        for (TokenBlock block : blocks) {
            harness.processElement(new StreamRecord<>(block));
        }
    }

    private static List<DispatchBlock> dispatched(
            KeyedOneInputStreamOperatorTestHarness<Integer, TokenBlock, ExpertInput> harness) {
        return harness.extractOutputValues().stream()
                .filter(DispatchBlock.class::isInstance)
                .map(DispatchBlock.class::cast)
                .toList();
    }

    private static List<ResidualBlock> residuals(
            KeyedOneInputStreamOperatorTestHarness<Integer, TokenBlock, ExpertInput> harness) {
        return harness.getSideOutput(Router.RESIDUALS).stream()
                .map(StreamRecord::getValue)
                .toList();
    }

    private static float[] row() {
        return row(4);
    }

    private static float[] row(float first) {
        return new float[] {first, 3, 2, 1};
    }

    private static TokenBlock token(int lane) {
        return block(lane, new long[] {0}, row());
    }

    private static TokenBlock block(int lane, long[] timestamps, float[]... rows) {
        float[] all = new float[rows.length * N];
        String[] streams = new String[rows.length];
        long[] positions = new long[rows.length];
        for (int row = 0; row < rows.length; row++) {
            System.arraycopy(rows[row], 0, all, row * N, N);
            streams[row] = "s";
            positions[row] = row;
        }
        return new TokenBlock(
                lane, streams, positions, timestamps, Floats.toBytes(all), new Choices[0]);
    }
}
